package apiserver

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	authentication "k8s.io/api/authentication/v1"
)

// TestKubernetes goes through the life of a cluster whose tokens assertd signs,
// and prints what came of each case. The cases build on each other.
func TestKubernetes(t *testing.T) {
	s := newSite(t)
	before := s.beforeAssertd(t)
	s.startDaemon(t)
	s.startAPIServer(t, s.signerFlags())
	fmt.Printf("kube-apiserver %s, signer assertd with SoftHSM\n", s.version(t))
	for _, c := range []struct {
		name string
		run  func(*testing.T) string
	}{
		{"tokens from before the switch", func(t *testing.T) string { return s.checkBefore(t, before) }},
		{"TokenRequest", s.tokenRequest},
		{"TokenRequest for a pod", s.podRequest},
		{"TokenRequest that policy refuses", s.refusedRequest},
		{"TokenReview", s.tokenReview},
		{"discovery", s.discovery},
		{"40 parallel requests", s.parallel},
		{"rotation under 20 token requests/s", s.rotation},
		{"HSM away and back", s.withoutHSM},
		{"kube-apiserver starts without the HSM", s.startWithoutHSM},
		{"daemon restarted", s.restartDaemon},
		{"nodes with key files", s.keyFiles},
		{"version revoked", s.revoke},
		{"assertctl status", s.checkStatus},
	} {
		var outcome string
		if !t.Run(c.name, func(t *testing.T) { outcome = c.run(t) }) {
			outcome = "FAILED"
		}
		fmt.Printf("%-38s %s\n", c.name, outcome)
	}
}

// beforeAssertd runs the cluster with its own key, and returns a token.
func (s *site) beforeAssertd(t *testing.T) token {
	t.Helper()
	s.startAPIServer(t, s.keyFileFlags())
	s.populate(t)
	got, err := s.signed(t.Context())
	check(t, err)
	s.apiserver.stop(t)
	return got
}

// checkBefore has a token verified that the key file signed: no pod is logged
// out.
func (s *site) checkBefore(t *testing.T, before token) string {
	check(t, s.accepts(t.Context(), before.text))
	return "ok: accepted, with the kid that kube-apiserver gave it"
}

func (s *site) tokenRequest(t *testing.T) string {
	lifetime := int64(1800)
	got, err := s.request(t.Context(), account, authentication.TokenRequestSpec{ExpirationSeconds: &lifetime, Audiences: []string{"vault", "sts.amazonaws.com"}})
	check(t, err)
	c := got.claims
	if got.header.Alg != "ES256" || got.header.Typ != "JWT" || c.Iss != issuer || c.Sub != "system:serviceaccount:payments:api" || len(c.Aud) != 2 || c.Exp-c.Iat != lifetime {
		t.Fatalf("got %+v", got)
	}
	if log, err := s.recorded(c.Jti); err != nil || !strings.Contains(log, c.Sub) || strings.Contains(log, got.text) {
		t.Fatalf("the audit log has %q of the token: %v", log, err)
	}
	return fmt.Sprintf("ok: %s, %d bytes, recorded with its jti", got.header.Alg, len(got.text))
}

// podRequest asks as the kubelet does. kube-apiserver gives such tokens the
// longest lifetime that the signer has.
func (s *site) podRequest(t *testing.T) string {
	lifetime := int64(3607)
	got, err := s.request(t.Context(), account, authentication.TokenRequestSpec{
		ExpirationSeconds: &lifetime, BoundObjectRef: &authentication.BoundObjectReference{APIVersion: "v1", Kind: "Pod", Name: "api-0"},
	})
	check(t, err)
	check(t, s.accepts(t.Context(), got.text))
	if got.claims.Exp-got.claims.Iat != int64(maximum/time.Second) {
		t.Fatalf("it lives for %d seconds", got.claims.Exp-got.claims.Iat)
	}
	return fmt.Sprintf("ok: lives for %s, which is max_expiration", time.Duration(got.claims.Exp-got.claims.Iat)*time.Second)
}

// refusedRequest asks for an audience that is reserved for another account.
func (s *site) refusedRequest(t *testing.T) string {
	_, err := s.request(t.Context(), "web", authentication.TokenRequestSpec{Audiences: []string{"sts.amazonaws.com"}})
	status, text := answerOf(err)
	if status != http.StatusInternalServerError || !strings.Contains(text, "does not sign tokens for audience") {
		t.Fatalf("got %d: %v", status, err)
	}
	for _, internal := range []string{"pods", s.token.Label, s.dir, "pkcs11"} {
		if strings.Contains(text, internal) {
			t.Errorf("the answer has %q: %s", internal, text)
		}
	}
	_, sentence, _ := strings.Cut(text, "desc = ")
	return fmt.Sprintf("ok: %d, %s", status, sentence)
}

// tokenReview also has tokens verified that are not of this cluster.
func (s *site) tokenReview(t *testing.T) string {
	got, err := s.signed(t.Context())
	check(t, err)
	head, rest, _ := strings.Cut(got.text, ".")
	claims, signature, _ := strings.Cut(rest, ".")
	other, err := s.signed(t.Context())
	check(t, err)
	for name, text := range map[string]string{
		"another signature": head + "." + claims + other.text[strings.LastIndexByte(other.text, '.'):],
		"an unknown kid":    encode(`{"alg":"ES256","kid":"unknown","typ":"JWT"}`) + "." + claims + "." + signature,
		"no signature":      encode(`{"alg":"none","typ":"JWT"}`) + "." + claims + ".",
	} {
		if status, err := s.review(t.Context(), text); err != nil || status.Authenticated {
			t.Errorf("%s: got %+v, %v", name, status, err)
		}
	}
	if status, err := s.review(t.Context(), got.text, "vault"); err != nil || status.Authenticated {
		t.Errorf("for another audience: got %+v, %v", status, err)
	}
	return "ok: accepted; refused with another signature, kid, alg or audience"
}

// discovery compares the keys that kube-apiserver has with those that assertd
// serves to others.
func (s *site) discovery(t *testing.T) string {
	of, err := s.core.RESTClient().Get().AbsPath("/openid/v1/jwks").DoRaw(t.Context())
	check(t, err)
	served, err := fetch(fmt.Sprintf("http://127.0.0.1:%d/clusters/prod/.well-known/jwks.json", s.ports.jwks))
	check(t, err)
	kids, others := kidsOf(t, of), kidsOf(t, served)
	if len(kids) != 2 || strings.Join(kids, " ") != strings.Join(others, " ") {
		t.Fatalf("kube-apiserver has %v, assertd serves %v", kids, others)
	}
	return "ok: kube-apiserver and jwks.listen serve the same 2 keys"
}

func (s *site) parallel(t *testing.T) string {
	const n = 40
	results := make(chan error, n)
	began := time.Now()
	for range n {
		go func() {
			_, err := s.signed(t.Context())
			results <- err
		}()
	}
	for range n {
		check(t, <-results)
	}
	return fmt.Sprintf("ok: all signed and accepted in %s", time.Since(began).Round(time.Millisecond))
}

// checkStatus looks for what an operator sees of all this. The counts are those
// since assertd started.
func (s *site) checkStatus(t *testing.T) string {
	s.refusedRequest(t)
	out := s.status(t)
	for _, want := range []string{"kubernetes issuer " + issuer, "also published until 2099-01-31", "audience-not-allowed"} {
		if !strings.Contains(out, want) {
			t.Errorf("assertctl status lacks %q:\n%s", want, out)
		}
	}
	return "ok: shows the issuer, its keys and the refusals"
}

// keyFiles runs an API server that doesn't ask assertd, and has its public keys
// in a file: one that has not switched yet, or that goes back.
func (s *site) keyFiles(t *testing.T) string {
	got, err := s.signed(t.Context())
	check(t, err)
	public, err := s.assertd("key", "show", "--config", s.config(), got.header.Kid, "--pem")
	check(t, err)
	check(t, os.WriteFile(s.in("hsm.pub"), []byte(public), 0o600))
	s.apiserver.stop(t)
	s.startAPIServer(t, append(s.keyFileFlags(), "--service-account-key-file="+s.in("hsm.pub")))
	check(t, s.accepts(t.Context(), got.text))
	s.apiserver.stop(t)
	s.startAPIServer(t, s.signerFlags())
	return "ok: a token that assertd signed is accepted with the HSM's public key in a file"
}
