package signer_test

import (
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/assertd/assertd/internal/audit"
	josealg "github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// While signing is on hold, nothing reaches the HSM, and the record says why. A
// refusal by policy is still one.
func TestSigningOnHold(t *testing.T) {
	held := errors.New("too few witnesses")
	for kind, request := range requests {
		t.Run(kind, func(t *testing.T) {
			var hold error
			s, p := newSigner(t, "ES256", func(o *signer.Options) { o.Hold = func() error { return hold } })
			if err := request(s, t.Context()); err != nil {
				t.Fatal(err)
			}
			hold = held
			if err := request(s, t.Context()); !errors.Is(err, signer.ErrHeld) || !errors.Is(err, held) {
				t.Errorf("error %v", err)
			}
			last := p.records[len(p.records)-1]
			if last.Outcome != audit.OutcomeFailed || last.Code != string(ipc.CodeAuditUnavailable) {
				t.Errorf("record %+v", last)
			}
			if spent := p.spent(); len(spent) != 2 {
				t.Errorf("spent %v, want only the first request", spent)
			}
		})
	}
}

func TestAssertionOfEveryAlgorithmVerifies(t *testing.T) {
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			s, p := newSigner(t, alg)
			a, err := s.Assert(context.Background(), known, policy.Request{})
			if err != nil {
				t.Fatal(err)
			}
			token, err := jwt.ParseSigned(a.Assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			var claims jwt.Claims
			if err := token.Claims(p.key.Public, &claims); err != nil {
				t.Fatalf("the signature does not verify: %v", err)
			}
			checkClaims(t, claims)
			if kid := token.Headers[0].KeyID; kid != p.key.Kid || a.Kid != kid {
				t.Errorf("kid %q, answer %q, want %q", kid, a.Kid, p.key.Kid)
			}
		})
	}
}

func checkClaims(t *testing.T, c jwt.Claims) {
	t.Helper()
	if c.Issuer != "9f3c0c" || c.Subject != "9f3c0c" || !slices.Equal(c.Audience, jwt.Audience{"https://as.bank.example"}) {
		t.Errorf("iss %q sub %q aud %q", c.Issuer, c.Subject, c.Audience)
	}
	if got := c.Expiry.Time().Sub(epoch); got != time.Minute {
		t.Errorf("exp is %v after now, want the grant's default of 1m", got)
	}
	if len(c.ID) < 22 {
		t.Errorf("jti %q holds fewer than 128 bits", c.ID)
	}
}

// A strict verifier refuses an aud that is a list where it wants a string.
func TestAudienceIsOneString(t *testing.T) {
	s, _ := newSigner(t, "ES256")
	a, err := s.Assert(context.Background(), known, policy.Request{})
	if err != nil {
		t.Fatal(err)
	}
	if aud := payload(t, a.Assertion)["aud"]; aud != "https://as.bank.example" {
		t.Errorf("aud is %#v", aud)
	}
}

func payload(t *testing.T, compact string) map[string]any {
	t.Helper()
	token, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(token.UnsafePayloadWithoutVerification(), &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// ECDSA halves must be left-padded: about one signature in a hundred has a
// short half, and a JWS that drops its zeros is refused far away.
func TestECDSASignaturesHaveFixedWidth(t *testing.T) {
	s, _ := newSigner(t, "ES256")
	for range 600 {
		a, err := s.Assert(context.Background(), known, policy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		signature := a.Assertion[strings.LastIndexByte(a.Assertion, '.')+1:]
		if len(signature) != 86 { // 64 bytes in base64url
			t.Fatalf("signature of %d characters, want 86", len(signature))
		}
	}
}

func TestEveryRequestGetsAFreshAssertion(t *testing.T) {
	s, _ := newSigner(t, "ES256")
	seen := make(map[string]bool)
	for range 50 {
		a, err := s.Assert(context.Background(), known, policy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		if seen[a.JTI] {
			t.Fatalf("jti %s was used twice", a.JTI)
		}
		seen[a.JTI] = true
	}
}

// Whatever goes wrong, the caller gets an error of its kind and no assertion,
// and one record says so.
func TestRefusalsAndFailures(t *testing.T) {
	for _, test := range []struct {
		name   string
		caller caller.Caller
		req    policy.Request
		fault  func(*parts)
		want   error
		signed int  // signatures the HSM was asked for
		taken  bool // something of a budget is spent
		full   bool // all places in flight are taken
	}{
		{name: "unknown caller", caller: unknown, want: &policy.Refusal{Code: policy.UnknownCaller}},
		{name: "wrong audience", caller: known, req: policy.Request{Audience: "https://evil.example"}, want: &policy.Refusal{Code: policy.AudienceNotAllowed}},
		{name: "registered claim", caller: known, req: policy.Request{Claims: map[string]any{"iss": "x"}}, want: &policy.Refusal{Code: policy.ClaimReserved}},
		{name: "too long", caller: known, req: policy.Request{Lifetime: time.Hour}, want: &policy.Refusal{Code: policy.LifetimeNotAllowed}},
		{name: "in flight", caller: known, fault: func(p *parts) {
			for range 8 {
				if _, err := p.limiter.Enter("payments-api", 8); err != nil {
					panic(err)
				}
			}
		}, want: signer.ErrInFlight, full: true},
		{name: "no key", caller: known, fault: func(p *parts) { p.keyErr = fmt.Errorf("%w: none", keyset.ErrNoKey) }, want: keyset.ErrNoKey},
		{name: "too fast", caller: known, fault: func(p *parts) { p.exhaust("key/payments") }, want: ratelimit.ErrExceeded, taken: true},
		{name: "limiter at fault", caller: known, fault: func(p *parts) { forgetBudgets(p.limiter) }, want: ratelimit.ErrUnknown},
		{name: "HSM away", caller: known, fault: func(p *parts) { p.hsmErr = errInjected }, want: signer.ErrHSM, signed: 1},
		{name: "bad signature", caller: known, fault: func(p *parts) { p.corrupt = true }, want: josealg.ErrSignature, signed: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, p := newSigner(t, "ES256")
			if test.fault != nil {
				test.fault(p)
			}
			a, err := s.Assert(context.Background(), test.caller, test.req)
			if !errors.Is(err, test.want) {
				t.Fatalf("error %v, want %v", err, test.want)
			}
			if a != (ipc.AssertionResponse{}) {
				t.Error("an assertion came with the error")
			}
			if r := p.record(t); r.Outcome == audit.OutcomeAllowed || r.Code == "" {
				t.Errorf("recorded as %s, code %q", r.Outcome, r.Code)
			}
			if test.want == ratelimit.ErrUnknown {
				return // there are no budgets to look at
			}
			if spent := p.spent(); p.signed != test.signed || (len(spent) > 0) != test.taken || p.inFlight() != test.full {
				t.Errorf("asked the HSM %d times, spent %v, in flight %v", p.signed, spent, p.inFlight())
			}
		})
	}
}

// No record, no release: also where the signature was made.
func TestAssertionWithoutRecordIsNotReleased(t *testing.T) {
	s, p := newSigner(t, "ES256")
	p.auditErr = errInjected
	a, err := s.Assert(context.Background(), known, policy.Request{})
	if !errors.Is(err, signer.ErrAudit) || a != (ipc.AssertionResponse{}) {
		t.Fatalf("got %+v and %v, want nothing and %v", a, err, signer.ErrAudit)
	}
}

func TestRecordHoldsNamesAndLoggableValuesAlone(t *testing.T) {
	s, p := newSigner(t, "ES256")
	req := policy.Request{Claims: map[string]any{"scope": "read", "secret": "s3cr3t"}}
	a, err := s.Assert(context.Background(), known, req)
	if err != nil {
		t.Fatal(err)
	}
	r := p.record(t)
	if !slices.Equal(r.ClaimNames, []string{"scope", "secret"}) || len(r.Claims) != 1 || r.Claims["scope"] != "read" {
		t.Errorf("claims %q, values %v", r.ClaimNames, r.Claims)
	}
	if text := fmt.Sprintf("%+v", r); strings.Contains(text, "s3cr3t") || strings.Contains(text, a.Assertion) {
		t.Error("the record holds a secret")
	}
	if r.JTI != a.JTI || r.Kid != a.Kid || r.Client != "payments-api" || r.Grant != "bank" || r.LifetimeSeconds != 60 {
		t.Errorf("record %+v", r)
	}
}

func TestBudgetsOfGrantAndKeySetAreTaken(t *testing.T) {
	s, p := newSigner(t, "ES256")
	if _, err := s.Assert(context.Background(), known, policy.Request{}); err != nil {
		t.Fatal(err)
	}
	if want := []string{"grant/payments-api/bank", "key/payments"}; !slices.Equal(p.spent(), want) {
		t.Errorf("took %q, want %q", p.spent(), want)
	}
}

func TestSampledVerificationStillVerifiesSome(t *testing.T) {
	s, p := newSigner(t, "ES256", func(o *signer.Options) { o.Verify = signer.VerifySampled })
	p.corrupt = true
	refused := 0
	for range 2 * signer.SampleEvery {
		if _, err := s.Assert(context.Background(), known, policy.Request{}); err != nil {
			refused++
		}
	}
	if refused != 2 {
		t.Errorf("%d of %d bad signatures found, want 2", refused, 2*signer.SampleEvery)
	}
}

// TestLimiterFaultIsNotARateLimit: telling a caller to slow down would hide
// what the operators must fix.
func TestLimiterFaultIsNotARateLimit(t *testing.T) {
	s, p := newSigner(t, "ES256")
	forgetBudgets(p.limiter)
	if _, err := s.Assert(context.Background(), known, policy.Request{}); err == nil || errors.Is(err, ratelimit.ErrExceeded) {
		t.Errorf("error %v", err)
	}
	if _, err := s.Sign(context.Background(), known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: make([]byte, 32)}); err == nil || errors.Is(err, ratelimit.ErrExceeded) {
		t.Errorf("error %v", err)
	}
}

// TestRefusalsAreRecordedWithTheirClient and grant, as far as they are known.
func TestRefusalsAreRecordedWithTheirClient(t *testing.T) {
	onSocket := unknown
	onSocket.Client = "payments-api"
	for _, c := range []struct {
		name          string
		caller        caller.Caller
		req           policy.Request
		client, grant string
	}{
		{"no client", unknown, policy.Request{Grant: "bank"}, "", "bank"},
		{"not whom the socket is for", onSocket, policy.Request{}, "payments-api", ""},
		{"no such grant", known, policy.Request{Grant: "other"}, "payments-api", "other"},
		{"one grant refuses", known, policy.Request{Audience: "https://evil.example"}, "payments-api", "bank"},
		{"by form", known, policy.Request{Claims: map[string]any{"iss": "x"}}, "payments-api", ""},
	} {
		s, p := newSigner(t, "ES256")
		if _, err := s.Assert(context.Background(), c.caller, c.req); err == nil {
			t.Fatalf("%s: allowed", c.name)
		}
		if r := p.record(t); r.Client != c.client || r.Grant != c.grant {
			t.Errorf("%s: recorded client %q, grant %q; want %q, %q", c.name, r.Client, r.Grant, c.client, c.grant)
		}
	}
}

// TestRefusalsAreRecordedWithWhatWasAsked: names and lifetime, no values, and
// no more than the audit log takes, whatever the caller sends.
func TestRefusalsAreRecordedWithWhatWasAsked(t *testing.T) {
	s, p := newSigner(t, "ES256")
	req := policy.Request{Lifetime: time.Hour, Claims: map[string]any{"admin": "s3cr3t", "sub": "s3cr3t"}}
	if _, err := s.Assert(context.Background(), known, req); err == nil {
		t.Fatal("allowed")
	}
	r := p.record(t)
	if !slices.Equal(r.ClaimNames, []string{"admin", "sub"}) || r.LifetimeSeconds != 3600 || r.Claims != nil {
		t.Errorf("claims %q, lifetime %d s, values %v", r.ClaimNames, r.LifetimeSeconds, r.Claims)
	}

	s, p = newSigner(t, "ES256")
	many := map[string]any{strings.Repeat("\x7f", 60000): 1}
	for i := range 10000 {
		many[fmt.Sprint("claim", i)] = i
	}
	if _, err := s.Assert(context.Background(), known, policy.Request{Claims: many}); err == nil {
		t.Fatal("allowed")
	}
	if r := p.record(t); len(r.ClaimNames) != 64 || len(r.ClaimNames[0]) > 140 {
		t.Errorf("%d names, the first of %d bytes", len(r.ClaimNames), len(r.ClaimNames[0]))
	}
}

func TestNewRefusesMissingParts(t *testing.T) {
	if _, err := signer.New(signer.Options{}); err == nil {
		t.Error("a signer without parts was made")
	}
}

// forgetBudgets removes all budgets, which the daemon itself never does.
func forgetBudgets(l *ratelimit.Limiter) {
	for range 2 { // those of the last configuration stay for requests under way
		if err := l.Configure(nil); err != nil {
			panic(err)
		}
	}
}

// Some receivers take the key from x5c, and refuse other header parameters.
func TestChainInTheHeaderWithoutKid(t *testing.T) {
	for profile, kid := range map[string]bool{"ishare": false, "entra-subject-issuer": true} {
		uid := uint32(1000)
		alg := map[bool]string{false: "RS256", true: "PS256"}[kid]
		rules, err := policy.New([]policy.Client{{Name: "payments-api", Match: policy.Match{UID: &uid}, Grants: []policy.Rule{{
			Name: "bank", Key: "payments", Profile: profile, ClientID: "c", DefaultLifetime: 30 * time.Second, MaxLifetime: 30 * time.Second,
			Audiences: []string{"https://login.microsoftonline.com/t/oauth2/v2.0/token"},
		}}}})
		if err != nil {
			t.Fatal(err)
		}
		s, p := newSigner(t, alg, func(o *signer.Options) { o.Policy = rules })
		leaf := &x509.Certificate{Raw: []byte("leaf"), PublicKey: p.key.Public, NotBefore: epoch.AddDate(-1, 0, 0), NotAfter: epoch.AddDate(1, 0, 0)}
		p.key.Certificates = []*x509.Certificate{leaf, {Raw: []byte("CA")}}
		a, err := s.Assert(t.Context(), known, policy.Request{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := base64.RawURLEncoding.DecodeString(strings.Split(a.Assertion, ".")[0])
		if err != nil {
			t.Fatal(err)
		}
		var header map[string]any
		if err := json.Unmarshal(text, &header); err != nil {
			t.Fatal(err)
		}
		if _, there := header["kid"]; there != kid || a.Kid != p.key.Kid || p.record(t).Kid != p.key.Kid {
			t.Errorf("%s: header %v, answer %+v", profile, header, a)
		}
		if !reflect.DeepEqual(header["x5c"], []any{"bGVhZg==", "Q0E="}) {
			t.Errorf("%s: x5c %v", profile, header["x5c"])
		}
	}
}
