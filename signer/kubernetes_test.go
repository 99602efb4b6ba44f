package signer_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/serviceaccount"
)

const clusterIssuer = "https://k8s.example"

// podRequest asks for a token of payments/api that lives for an hour.
func podRequest() signer.KubernetesRequest {
	claims := fmt.Sprintf(`{"aud":["vault"],"exp":%d,"iat":%d,"iss":%q,"jti":"j-1","kubernetes.io":{"namespace":"payments","serviceaccount":{"name":"api","uid":"1"}},"nbf":%d,"sub":"system:serviceaccount:payments:api"}`,
		epoch.Unix()+3600, epoch.Unix(), clusterIssuer, epoch.Unix())
	return signer.KubernetesRequest{
		Key: "payments", Claims: base64.RawURLEncoding.EncodeToString([]byte(claims)),
		Limits: serviceaccount.Limits{Issuer: clusterIssuer, MaxExpiration: time.Hour},
	}
}

// forPods gives the client a grant for tokens, with the budgets of the grant
// "bank".
func forPods(t *testing.T) func(*signer.Options) {
	t.Helper()
	uid := known.UID
	p, err := policy.New([]policy.Client{{Name: "payments-api", Match: policy.Match{UID: &uid}, Grants: []policy.Rule{
		{Name: "bank", Key: "payments", Kubernetes: &policy.KubernetesRule{ServiceAccounts: []string{"payments/*"}, Audiences: []string{"vault"}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return func(o *signer.Options) { o.Policy = p }
}

// TestKubernetesTokenOfEveryAlgorithm signs the claims as they came, with each
// algorithm that kube-apiserver accepts.
func TestKubernetesTokenOfEveryAlgorithm(t *testing.T) {
	for _, alg := range []string{"RS256", "ES256", "ES384", "ES512"} {
		s, p := newSigner(t, alg, forPods(t))
		req := podRequest()
		token, err := s.SignKubernetes(context.Background(), known, req)
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		header, err := base64.RawURLEncoding.DecodeString(token.Header)
		if want := fmt.Sprintf(`{"alg":%q,"kid":%q,"typ":"JWT"}`, alg, p.key.Kid); err != nil || string(header) != want {
			t.Errorf("%s: the header is %s, %v", alg, header, err)
		}
		parsed, err := jose.ParseSignedCompact(token.Header+"."+req.Claims+"."+token.Signature, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if _, err := parsed.Verify(p.key.Public); err != nil {
			t.Errorf("%s: the signature does not verify: %v", alg, err)
		}
	}
}

// TestKubernetesTokenIsRecorded checks the record and the budgets of a token.
func TestKubernetesTokenIsRecorded(t *testing.T) {
	s, p := newSigner(t, "ES256", forPods(t))
	token, err := s.SignKubernetes(context.Background(), known, podRequest())
	if err != nil {
		t.Fatal(err)
	}
	r := p.record(t)
	if r.Kind != audit.KindKubernetes || r.Subject != "system:serviceaccount:payments:api" || !slices.Equal(r.Audiences, []string{"vault"}) ||
		r.JTI != "j-1" || r.Kid != p.key.Kid || r.Client != "payments-api" || r.Grant != "bank" || r.LifetimeSeconds != 3600 {
		t.Errorf("record %+v", r)
	}
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, token.Signature) || strings.Contains(text, podRequest().Claims) {
		t.Error("the record holds a part of the token")
	}
	if want := []string{"grant/payments-api/bank", "key/payments"}; !slices.Equal(p.spent(), want) {
		t.Errorf("took %q, want %q", p.spent(), want)
	}
}

// TestKubernetesTokenIsAlwaysVerified: kube-apiserver doesn't verify what it
// gets, so the setting for assertions has no effect.
func TestKubernetesTokenIsAlwaysVerified(t *testing.T) {
	s, p := newSigner(t, "ES256", forPods(t), func(o *signer.Options) { o.Verify = signer.VerifySampled })
	p.corrupt = true
	for i := range 2 * signer.SampleEvery {
		if _, err := s.SignKubernetes(context.Background(), known, podRequest()); err == nil {
			t.Fatalf("token %d has a bad signature", i)
		}
	}
}

// TestKubernetesLimits checks that tokens have the budgets and the places of
// other requests.
func TestKubernetesLimits(t *testing.T) {
	for name, test := range map[string]struct {
		fault func(*parts)
		want  ipc.Code
	}{
		"the grant's budget":   {func(p *parts) { p.exhaust(signer.GrantBudget("payments-api", "bank")) }, ipc.CodeRateLimited},
		"the key set's budget": {func(p *parts) { p.exhaust(signer.KeyBudget("payments")) }, ipc.CodeRateLimited},
		"the client's places":  {func(p *parts) { fill(t, p.limiter) }, ipc.CodeInFlightLimit},
		"no record":            {func(p *parts) { p.auditErr = errInjected }, ipc.CodeAuditUnavailable},
	} {
		s, p := newSigner(t, "ES256", forPods(t))
		test.fault(p)
		_, err := s.SignKubernetes(context.Background(), known, podRequest())
		var problem *ipc.Problem
		if !errors.As(signer.ProblemOf(err), &problem) || problem.Code != test.want {
			t.Errorf("%s: got %v, want %s", name, err, test.want)
		}
	}
}

// fill takes every place of the client.
func fill(t *testing.T, limiter *ratelimit.Limiter) {
	t.Helper()
	for {
		if _, err := limiter.Enter("payments-api", policy.DefaultInFlight); err != nil {
			return
		}
	}
}
