package policytest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/serviceaccount"
)

// KubernetesRequest asks kube-apiserver for a token of a service account. Its
// JSON is the kubernetes member of a case's request.
type KubernetesRequest struct {
	ServiceAccount string          `json:"service_account" required:"true" doc:"The service account, as namespace/name."`
	Audiences      []string        `json:"audiences,omitzero" doc:"The audiences. Default: the issuer, as kube-apiserver has it."`
	Lifetime       config.Duration `json:"lifetime,omitzero" doc:"The lifetime, in whole seconds. Default: 1h, or max_expiration if that is shorter."`
}

// ErrKubernetesRequest is the kind of an error about a request that
// kube-apiserver doesn't pass on.
var ErrKubernetesRequest = errors.New("kube-apiserver sends no such request")

// account returns the service account's namespace and name.
func (r KubernetesRequest) account() (namespace, name string, err error) {
	namespace, name, found := strings.Cut(r.ServiceAccount, "/")
	switch {
	case !found || namespace == "" || name == "" || strings.Contains(name, "/"):
		return "", "", fmt.Errorf("%w: %q is not a service account; write namespace/name", ErrKubernetesRequest, r.ServiceAccount)
	case r.Lifetime.Std()%time.Second != 0:
		return "", "", fmt.Errorf("%w: the lifetime %s is not in whole seconds; round it", ErrKubernetesRequest, r.Lifetime)
	}
	return namespace, name, nil
}

// withDefaults fills in what kube-apiserver would.
func (r KubernetesRequest) withDefaults(socket *config.Kubernetes) KubernetesRequest {
	if r.Audiences == nil {
		r.Audiences = []string{socket.Issuer}
	}
	if r.Lifetime == 0 {
		r.Lifetime = config.Duration(min(time.Hour, socket.MaxExpiration.Std()))
	}
	return r
}

// KubernetesSimulation is how the daemon would answer kube-apiserver.
type KubernetesSimulation struct {
	policy.KubernetesExplanation                 // its Refusal is that of the socket's limits, if they refuse
	Lifetime                     config.Duration // as asked for, or by default
	Token                        Assertion       // empty if the request is refused
}

// Kubernetes answers a request for a token of a service account, asked on the
// caller's listener. The error is ErrKubernetesRequest or ErrProcess.
func (s *Simulator) Kubernetes(caller caller.Caller, req KubernetesRequest) (KubernetesSimulation, error) {
	namespace, name, err := req.account()
	if err != nil {
		return KubernetesSimulation{}, err
	}
	socket := s.kubernetesSocket(caller.Listener)
	if socket == nil {
		return KubernetesSimulation{}, fmt.Errorf("%w: listener %s does not answer kube-apiserver", ErrProcess, caller.Listener)
	}
	req = req.withDefaults(socket)
	result := KubernetesSimulation{KubernetesExplanation: s.policy.ExplainKubernetes(caller, policy.KubernetesRequest{
		Key: socket.Key, Namespace: namespace, ServiceAccount: name, Audiences: req.Audiences,
	}), Lifetime: req.Lifetime}
	checks, refusal := limit(socket, podClaims(socket.Issuer, namespace, name, req), req)
	result.Syntax = checks
	// A caller that no grant is for learns nothing about its claims.
	if _, err := s.policy.KubernetesClient(caller, socket.Key); err == nil && refusal != nil {
		result.Refusal, result.Grant = refusal, policy.KubernetesGrant{}
	}
	if result.Refusal == nil {
		result.Token = s.token(socket, namespace, name, req)
	}
	return result, nil
}

// kubernetesSocket is the configuration of a socket for kube-apiserver, nil if
// the socket is for others.
func (s *Simulator) kubernetesSocket(path string) *config.Kubernetes {
	for _, l := range s.config.Listen {
		if l.Socket == path {
			return l.Kubernetes
		}
	}
	return nil
}

// podClaims are the claims that kube-apiserver writes at signingTime.
func podClaims(issuer, namespace, name string, req KubernetesRequest) map[string]any {
	now := signingTime.Unix()
	return map[string]any{
		"iss": issuer, "sub": "system:serviceaccount:" + namespace + ":" + name, "aud": req.Audiences,
		"iat": now, "nbf": now, "exp": now + int64(req.Lifetime.Std()/time.Second), "jti": "00000000-0000-4000-8000-000000000000",
		"kubernetes.io": map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name, "uid": "00000000-0000-4000-8000-000000000001"}},
	}
}

// limit reads the claims as the daemon does, and holds them to the socket's
// limits.
func limit(socket *config.Kubernetes, claims map[string]any, req KubernetesRequest) (checks []policy.Check, refusal *policy.Refusal) {
	text, err := json.Marshal(claims)
	if err != nil { // can't happen: they are texts and numbers
		return nil, &policy.Refusal{Detail: err.Error()}
	}
	payload := base64.RawURLEncoding.EncodeToString(text)
	read, unreadable := serviceaccount.Parse(payload)
	limits := serviceaccount.Limits{Issuer: socket.Issuer, MaxExpiration: socket.MaxExpiration.Std()}
	exceeded := limits.Check(read, signingTime)
	if unreadable != nil {
		exceeded = nil // nothing was compared
	}
	return []policy.Check{
		{Name: "claims", Want: fmt.Sprintf("those of a service account, up to %d bytes", serviceaccount.MaxPayload), Have: fmt.Sprintf("%d bytes", len(payload)),
			Held: unreadable == nil, Why: detail(unreadable)},
		{Name: "lifetime", Want: fmt.Sprintf("up to %s", socket.MaxExpiration), Have: req.Lifetime.String(), Held: exceeded == nil, Why: detail(exceeded)},
	}, refusalOfClaims(errors.Join(unreadable, exceeded))
}

func detail(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func refusalOfClaims(err error) *policy.Refusal {
	var refused *serviceaccount.Error
	if !errors.As(err, &refused) {
		return nil
	}
	return &policy.Refusal{Code: policy.Reason(refused.Code), Detail: refused.Detail}
}

// kubernetesKid stands for the kid that kube-apiserver gives a key in a file.
const kubernetesKid = "<SHA-256 of the signing key, in base64url>"

// token is what would be signed, with placeholders for what only kube-apiserver
// knows.
func (s *Simulator) token(socket *config.Kubernetes, namespace, name string, req KubernetesRequest) Assertion {
	claims := podClaims(socket.Issuer, namespace, name, req)
	claims["iat"], claims["nbf"], claims["exp"] = timePlaceholder(0), timePlaceholder(0), timePlaceholder(req.Lifetime.Std())
	claims["jti"] = "<random>"
	claims["kubernetes.io"] = map[string]any{"namespace": namespace, "serviceaccount": map[string]any{"name": name, "uid": "<from the cluster>"}}
	return Assertion{Header: map[string]any{"alg": string(s.config.Keys[socket.Key].Alg), "kid": kubernetesKid, "typ": "JWT"}, Claims: claims}
}
