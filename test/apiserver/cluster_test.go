package apiserver

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	authentication "k8s.io/api/authentication/v1"
	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/discovery"
	authenticationclient "k8s.io/client-go/kubernetes/typed/authentication/v1"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

const namespace, account = "payments", "api"

// cluster is kube-apiserver as its administrator sees it.
type cluster struct {
	config *rest.Config
	core   *coreclient.CoreV1Client
	tokens *authenticationclient.AuthenticationV1Client
}

// newCluster makes an administrator of a kube-apiserver that need not run yet.
func newCluster(t *testing.T, dir string, port int) *cluster {
	t.Helper()
	secret := rand.Text()
	check(t, os.WriteFile(filepath.Join(dir, "users.csv"), []byte(secret+`,admin,1,"system:masters"`+"\n"), 0o600))
	c := &cluster{config: &rest.Config{
		Host: fmt.Sprintf("https://127.0.0.1:%d", port), BearerToken: secret, QPS: -1, Timeout: patience,
		// kube-apiserver makes its own certificate when it starts. This is loopback.
		TLSClientConfig: rest.TLSClientConfig{Insecure: true},
	}}
	var err error
	c.core, err = coreclient.NewForConfig(c.config)
	check(t, err)
	c.tokens, err = authenticationclient.NewForConfig(c.config)
	check(t, err)
	return c
}

func (c *cluster) ready(ctx context.Context) bool {
	text, err := c.core.RESTClient().Get().AbsPath("/readyz").DoRaw(ctx)
	return err == nil && string(text) == "ok"
}

func (c *cluster) version(t *testing.T) string {
	t.Helper()
	client, err := discovery.NewDiscoveryClientForConfig(c.config)
	check(t, err)
	info, err := client.ServerVersion()
	check(t, err)
	return info.GitVersion
}

// populate makes a namespace with two service accounts, and a pod.
func (c *cluster) populate(t *testing.T) {
	t.Helper()
	_, err := c.core.Namespaces().Create(t.Context(), &core.Namespace{ObjectMeta: meta.ObjectMeta{Name: namespace}}, meta.CreateOptions{})
	check(t, err)
	for _, name := range []string{account, "web"} {
		_, err = c.core.ServiceAccounts(namespace).Create(t.Context(), &core.ServiceAccount{ObjectMeta: meta.ObjectMeta{Name: name}}, meta.CreateOptions{})
		check(t, err)
	}
	unmounted := false // else kube-apiserver waits for a controller
	_, err = c.core.Pods(namespace).Create(t.Context(), &core.Pod{ObjectMeta: meta.ObjectMeta{Name: "api-0"}, Spec: core.PodSpec{
		ServiceAccountName: account, AutomountServiceAccountToken: &unmounted, Containers: []core.Container{{Name: "api", Image: "api"}},
	}}, meta.CreateOptions{})
	check(t, err)
}

// request asks for a token as kubectl create token does.
func (c *cluster) request(ctx context.Context, name string, spec authentication.TokenRequestSpec) (token, error) {
	answer, err := c.core.ServiceAccounts(namespace).CreateToken(ctx, name, &authentication.TokenRequest{Spec: spec}, meta.CreateOptions{})
	if err != nil {
		return token{}, err
	}
	return parse(answer.Status.Token)
}

// review has kube-apiserver verify a token, for itself or for an audience.
func (c *cluster) review(ctx context.Context, text string, audiences ...string) (authentication.TokenReviewStatus, error) {
	answer, err := c.tokens.TokenReviews().Create(ctx, &authentication.TokenReview{
		Spec: authentication.TokenReviewSpec{Token: text, Audiences: audiences},
	}, meta.CreateOptions{})
	if err != nil {
		return authentication.TokenReviewStatus{}, err
	}
	return answer.Status, nil
}

// accepts fails unless kube-apiserver accepts a token as one of the service
// account.
func (c *cluster) accepts(ctx context.Context, text string) error {
	status, err := c.review(ctx, text)
	want := "system:serviceaccount:" + namespace + ":" + account
	if err == nil && (!status.Authenticated || status.User.Username != want) {
		err = fmt.Errorf("kube-apiserver does not accept the token: %+v", status)
	}
	return err
}

// signed asks for a token and has it verified.
func (c *cluster) signed(ctx context.Context) (token, error) {
	got, err := c.request(ctx, account, authentication.TokenRequestSpec{})
	if err != nil {
		return token{}, err
	}
	return got, c.accepts(ctx, got.text)
}

// answerOf is the status and the text of what kube-apiserver refused.
func answerOf(err error) (int, string) {
	if status, ok := err.(apierrors.APIStatus); ok {
		return int(status.Status().Code), status.Status().Message
	}
	return 0, fmt.Sprint(err)
}

// token is a service account's token.
type token struct {
	text   string
	header struct{ Alg, Kid, Typ string }
	claims struct {
		Iss, Sub, Jti string
		Aud           []string
		Iat, Exp      int64
	}
}

// parse reads a token without verifying it.
func parse(text string) (token, error) {
	t := token{text: text}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return token{}, fmt.Errorf("a token has 3 parts, not %d", len(parts))
	}
	for i, into := range []any{&t.header, &t.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return token{}, err
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return token{}, err
		}
	}
	return t, nil
}
