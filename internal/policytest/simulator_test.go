package policytest

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

const settings = `
hsm: {module: /usr/lib/softhsm/libsofthsm2.so, token: {label: x}, pin: {file: /pin}}
keys:
  ec: {alg: ES256, use: assertion}
  rsa: {alg: RS256, use: assertion, rotation: {publish_before: manual}}
  dpop: {alg: EdDSA, use: assertion}
  entra: {alg: PS256, use: assertion, rotation: {publish_before: manual}}
  raw: {alg: ES384, use: raw}
clients:
  - name: payments
    match: {user: no-such-user-payments}
    grants:
      - {name: bank, key: ec, profile: private_key_jwt, client_id: id, key_id: from-the-bank, audiences: [https://bank.example], claims: {allow: {scope: [read]}, set: {n: 1.50}}}
      - {name: snow, key: rsa, profile: snowflake, client_id: unused, subject: ORG-ACCOUNT.USER}
      - {name: proof, key: dpop, profile: dpop, claims: {allow: {htm: any, htu: any}}}
      - {name: entra, key: entra, profile: entra-certificate, client_id: id, audiences: ["https://login.microsoftonline.com/t/oauth2/v2.0/token"]}
      - {name: raw, key: raw}
  - name: bound
    grants: [{name: bank, key: ec, profile: private_key_jwt, client_id: other, audiences: [https://bank.example]}]
listen:
  - {socket: /run/shared.sock}
  - {socket: /run/bound.sock, client: bound}
audit: {required: false}
`

func simulator(t *testing.T) *Simulator {
	t.Helper()
	s, err := newSimulator("assertd.yaml", []byte(settings))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func paymentsCaller(t *testing.T, s *Simulator) caller.Caller {
	t.Helper()
	caller, err := s.Caller(Process{User: "no-such-user-payments"})
	if err != nil {
		t.Fatal(err)
	}
	return caller
}

// TestAssertion shows what is known before signing and what is not.
func TestAssertion(t *testing.T) {
	s := simulator(t)
	for _, c := range []struct {
		req            policy.Request
		header, claims string
	}{
		{
			policy.Request{Grant: "payments/bank", Claims: map[string]any{"scope": "read"}, Lifetime: 30 * time.Second},
			`{"alg":"ES256","kid":"from-the-bank"}`,
			`{"aud":"https://bank.example","exp":"<now + 30s>","iat":"<now - 5s>","iss":"id","jti":"<random>","n":1.50,"nbf":"<now - 5s>","scope":"read","sub":"id"}`,
		},
		{
			policy.Request{Grant: "snow"},
			`{"alg":"RS256","kid":"<RFC 7638 thumbprint of the signing key>","typ":"JWT"}`,
			`{"exp":"<now + 300s>","iat":"<now>","iss":"ORG-ACCOUNT.USER.SHA256:<from the signing key>","sub":"ORG-ACCOUNT.USER"}`,
		},
		{
			policy.Request{Grant: "proof", Claims: map[string]any{"htm": "POST", "htu": "https://a.example/t?q"}},
			`{"alg":"EdDSA","jwk":"<from the signing key>","kid":"<RFC 7638 thumbprint of the signing key>","typ":"dpop+jwt"}`,
			`{"htm":"POST","htu":"https://a.example/t","iat":"<now>","jti":"<random>"}`,
		},
	} {
		answer, err := s.Assert(paymentsCaller(t, s), c.req)
		if err != nil || answer.Refusal != nil {
			t.Fatalf("%s: %v, %v", c.req.Grant, err, answer.Refusal)
		}
		if got := compact(t, answer.Assertion.Header); got != c.header {
			t.Errorf("%s: header\n got %s\nwant %s", c.req.Grant, got, c.header)
		}
		if got := compact(t, answer.Assertion.Claims); got != c.claims {
			t.Errorf("%s: claims\n got %s\nwant %s", c.req.Grant, got, c.claims)
		}
	}
}

func compact(t *testing.T, value any) string {
	t.Helper()
	var text strings.Builder
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text.String())
}

func TestCertificateIsOfTheKey(t *testing.T) {
	s := simulator(t)
	answer, err := s.Assert(paymentsCaller(t, s), policy.Request{Grant: "entra"})
	if err != nil || answer.Refusal != nil {
		t.Fatal(err, answer.Refusal)
	}
	if got := answer.Assertion.Header["x5t#S256"]; got != "<from the signing key>" {
		t.Errorf("x5t#S256 is %v", got)
	}
}

// TestEveryProfileHasStandIns: there is a stand-in key for every algorithm.
func TestEveryProfileHasStandIns(t *testing.T) {
	for _, p := range profile.All() {
		for _, alg := range p.Algorithms {
			if _, err := standInKey(alg, 2); err != nil {
				t.Errorf("%s %s: %v", p.Name, alg, err)
			}
		}
	}
}

// TestEveryExampleIsExplained: every example in docs/profiles.md is a valid
// configuration that allows its request.
func TestEveryExampleIsExplained(t *testing.T) {
	page, err := os.ReadFile("../../docs/profiles.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range profile.All() {
		_, section, found := strings.Cut(string(page), "\n### "+p.Name+"\n")
		_, rest, begins := strings.Cut(section, "```yaml\n")
		example, _, ends := strings.Cut(rest, "```")
		if !found || !begins || !ends {
			t.Fatalf("%s has no example", p.Name)
		}
		s, err := newSimulator("assertd.yaml", []byte("hsm: {module: /m.so, token: {label: x}, pin: {file: /pin}}\nlisten: [{socket: /run/s.sock}]\naudit: {required: false}\n"+example))
		if err != nil {
			t.Errorf("%s: %v", p.Name, err)
			continue
		}
		caller, err := s.Caller(Process{User: "payments"})
		if err != nil {
			t.Fatal(err)
		}
		claims := maps.Clone(p.Example.Listed)
		if claims == nil {
			claims = make(map[string]any)
		}
		maps.Copy(claims, p.Example.Free)
		answer, err := s.Assert(caller, policy.Request{Claims: claims})
		if err != nil || answer.Refusal != nil {
			t.Errorf("%s: %v, %v", p.Name, err, answer.Refusal)
		}
		if p.Subject.From == profile.FromKeyID && answer.Assertion.Claims["sub"] != p.Example.KeyID {
			t.Errorf("%s: sub is %v", p.Name, answer.Assertion.Claims["sub"])
		}
	}
}

func TestRefusals(t *testing.T) {
	s := simulator(t)
	for _, c := range []struct {
		name string
		req  policy.Request
		want policy.Reason
	}{
		{"policy", policy.Request{Grant: "bank", Audience: "https://other.example"}, policy.AudienceNotAllowed},
		{"profile requires a claim", policy.Request{Grant: "proof", Claims: map[string]any{"htm": "POST"}}, policy.ClaimRequired},
		{"profile requires a form", policy.Request{Grant: "proof", Claims: map[string]any{"htm": "post it", "htu": "https://a.example"}}, policy.ClaimNotAllowed},
	} {
		answer, err := s.Assert(paymentsCaller(t, s), c.req)
		if err != nil || answer.Refusal == nil || answer.Refusal.Code != c.want || answer.Assertion.Claims != nil {
			t.Errorf("%s: %v, %+v, want %s", c.name, err, answer.Refusal, c.want)
		}
	}
}

func TestRaw(t *testing.T) {
	s := simulator(t)
	grant, err := s.Sign(paymentsCaller(t, s), policy.RawRequest{Key: "raw", Hash: "SHA-384"})
	if err != nil || grant.Name() != "raw" {
		t.Errorf("%v", err)
	}
	if _, err := s.Sign(paymentsCaller(t, s), policy.RawRequest{Key: "ec", Hash: "SHA-256"}); !errors.Is(err, &policy.Refusal{Code: policy.KeyNotAllowed}) {
		t.Errorf("%v", err)
	}
}

func TestCaller(t *testing.T) {
	s := simulator(t)
	got, err := s.Caller(Process{User: "4294967294", Groups: []string{"7", "8"}, Listener: "/run/bound.sock"})
	if err != nil || got.UID != 4294967294 || got.GID != 7 || len(got.Groups) != 1 || got.Groups[0] != 8 || got.Client != "bound" {
		t.Errorf("%+v, %v", got, err)
	}
	if got := paymentsCaller(t, s); got.GID != noID || got.Listener != "/run/shared.sock" || got.Client != "" {
		t.Errorf("%+v", got)
	}
	for name, c := range map[string]Process{
		"no user":          {},
		"unknown listener": {User: "0", Listener: "/run/other.sock"},
	} {
		if _, err := s.Caller(c); !errors.Is(err, ErrProcess) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestListenerMustBeNamed if the configuration has several.
func TestListenerMustBeNamed(t *testing.T) {
	s, err := newSimulator("assertd.yaml", []byte(strings.Replace(settings, "/run/bound.sock, client: bound}", "/run/bound.sock, client: bound}\n  - {socket: /run/second.sock}", 1)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Caller(Process{User: "0"}); !errors.Is(err, ErrProcess) {
		t.Errorf("%v", err)
	}
}

func TestOpen(t *testing.T) {
	path := t.TempDir() + "/assertd.yaml"
	if _, err := OpenSimulator(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	// It doesn't matter who can write it.
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSimulator(path); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("hsm: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenSimulator(path); !errors.Is(err, strictyaml.ErrInvalid) {
		t.Errorf("%v", err)
	}
}
