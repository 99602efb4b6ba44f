package interop

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/profile"
)

// keyTypes maps algorithms to key types.
var keyTypes = map[string]hsm.KeyType{
	"RS256": hsm.RSA2048, "RS384": hsm.RSA2048, "RS512": hsm.RSA2048,
	"PS256": hsm.RSA2048, "PS384": hsm.RSA2048, "PS512": hsm.RSA2048,
	"ES256": hsm.P256, "ES384": hsm.P384, "ES512": hsm.P521,
	"EdDSA": hsm.Ed25519, "Ed25519": hsm.Ed25519,
}

// specimen is an assertion that a verifier must accept, and one it must refuse.
type specimen struct {
	Name      string `json:"name"` // of the profile
	Alg       string `json:"alg"`
	Kid       string `json:"kid"`      // in the JWKS; the header's may be the receiver's own
	Audience  string `json:"audience"` // empty for none
	Proof     bool   `json:"proof"`    // the key is in the header, and there is no exp
	Assertion string `json:"assertion"`
	Spoiled   string `json:"spoiled"` // with the claims of another assertion
}

// grant is a grant of the configuration in JSON, which is also YAML.
type grant struct {
	Name      string   `json:"name"`
	Key       string   `json:"key"`
	Profile   string   `json:"profile"`
	ClientID  string   `json:"client_id,omitempty"`
	Issuer    string   `json:"issuer,omitempty"`
	Subject   string   `json:"subject,omitempty"`
	KeyID     string   `json:"key_id,omitempty"`
	Audiences []string `json:"audiences,omitempty"`
	Claims    any      `json:"claims,omitempty"`
}

// exampleGrant returns the example grant of a profile in docs/profiles.md, with
// a key set of the example's algorithm, or of its own if the profile requires
// that.
func exampleGrant(p *profile.Profile) grant {
	e := p.Example
	allow := map[string]any{}
	for name, value := range e.Listed {
		allow[name] = []any{value}
	}
	for name := range e.Free {
		allow[name] = "any"
	}
	g := grant{
		Name: p.Name, Key: e.Alg, Profile: p.Name, ClientID: e.ClientID, Issuer: e.Issuer, Subject: e.Subject,
		KeyID: e.KeyID, Audiences: e.Audiences,
		Claims: map[string]any{"allow": allow, "set": orEmpty(e.ForcedClaims)},
	}
	if p.DedicatedKey {
		g.Key = p.Name
	}
	return g
}

func orEmpty(claims map[string]any) map[string]any {
	if claims == nil {
		return map[string]any{}
	}
	return claims
}

// gallery is a daemon with a grant for each algorithm and each profile.
type gallery struct {
	*daemon
	kids   map[string]string // by key set
	grants []grant
}

func openGallery(t *testing.T) *gallery {
	t.Helper()
	g := &gallery{kids: map[string]string{}}
	algorithms := map[string]string{} // by key set
	for alg := range keyTypes {
		algorithms[alg] = alg
		g.grants = append(g.grants, grant{Name: alg, Key: alg, Profile: "private_key_jwt", ClientID: "c", Audiences: []string{"https://as.example"}})
	}
	for _, p := range profile.All() {
		g.grants = append(g.grants, exampleGrant(p))
		algorithms[g.grants[len(g.grants)-1].Key] = p.Example.Alg
	}
	sets := slices.Sorted(maps.Keys(algorithms))
	var order []newKey
	keys := map[string]any{}
	for _, set := range sets {
		order = append(order, newKey{Set: set, Type: keyTypes[algorithms[set]], Certified: set == "PS256" || set == "RS256"})
		keys[set] = map[string]any{"alg": algorithms[set], "use": "assertion"}
	}
	k := newToken(t)
	for i, v := range k.generate(t, order...) {
		g.kids[sets[i]] = v.Kid
	}
	clients := []any{map[string]any{"name": "gallery", "match": map[string]any{"uid": os.Getuid()}, "grants": g.grants}}
	g.daemon = start(t, k, "keys: "+asJSON(t, keys)+"\nclients: "+asJSON(t, clients)+"\njwks: {listen: \"127.0.0.1:0\"}\n")
	return g
}

// specimens returns an assertion for each grant.
func (g *gallery) specimens(t *testing.T) []specimen {
	t.Helper()
	var all []specimen
	for _, granted := range g.grants {
		request := ipc.AssertionRequest{Grant: granted.Name}
		s := specimen{Name: granted.Name, Kid: g.kids[granted.Key], Audience: "https://as.example"}
		if p, ok := profile.Lookup(granted.Name); ok {
			request.Claims = exampleClaims(t, p)
			s.Audience, s.Proof = exampleAudience(p), p.NoExpiry
		}
		answer, other := g.assertion(t, request), g.assertion(t, request)
		s.Alg, s.Assertion = answer.Alg, answer.Assertion
		s.Spoiled = splice(answer.Assertion, respell(t, other.Assertion))
		all = append(all, s)
	}
	return all
}

// respell adds a claim to an assertion, so that the claims differ even if a
// profile has no jti and both were signed in the same second.
func respell(t *testing.T, assertion string) string {
	t.Helper()
	parts := strings.Split(assertion, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(string(text), "{", `{"admin":true,`, 1)))
	return strings.Join(parts, ".")
}

// exampleClaims returns the claims that a caller sends in a profile's example.
func exampleClaims(t *testing.T, p *profile.Profile) map[string]json.RawMessage {
	t.Helper()
	claims := map[string]json.RawMessage{}
	for _, sent := range []map[string]any{p.Example.Listed, p.Example.Free} {
		for name, value := range sent {
			claims[name] = json.RawMessage(asJSON(t, value))
		}
	}
	return claims
}

func asJSON(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// exampleAudience returns the audience of a profile's example, or the profile's
// own if the example has none.
func exampleAudience(p *profile.Profile) string {
	audiences := p.Complete(profile.Settings{Audiences: p.Example.Audiences}).Audiences
	if len(audiences) == 0 {
		return ""
	}
	return audiences[0]
}

// TestVerifiers verifies an assertion of each algorithm and each profile with
// third-party libraries and the JWKS at its URL.
func TestVerifiers(t *testing.T) {
	g := openGallery(t)
	specimens := g.specimens(t)
	set, err := jwk.Fetch(t.Context(), g.jwksURL)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("jwx", func(t *testing.T) {
		for _, s := range specimens {
			t.Run(s.Name, func(t *testing.T) { verifyByJWX(t, set, s) })
		}
	})
	t.Run("jose", func(t *testing.T) {
		servers := startNode(t)
		servers.serve(t, g.jwksURL, nil, nil)
		for _, s := range specimens {
			t.Run(s.Name, func(t *testing.T) { verifyByJOSE(t, servers, s) })
		}
	})
	t.Run("python", func(t *testing.T) { verifyByPython(t, set, specimens) })
}

func verifyByJWX(t *testing.T, set jwk.Set, s specimen) {
	key, found := set.LookupKeyID(s.Kid)
	if !found {
		t.Fatalf("key %s is not in the JWKS", s.Kid)
	}
	alg, declared := key.Algorithm()
	if !declared || alg.String() != s.Alg {
		t.Fatalf("the JWKS has alg %v for key %s, the daemon %s", alg, s.Kid, s.Alg)
	}
	if _, err := jws.Verify([]byte(s.Assertion), jws.WithKey(alg, key)); err != nil {
		t.Error(err)
	}
	if _, err := jws.Verify([]byte(s.Spoiled), jws.WithKey(alg, key)); err == nil {
		t.Error("jwx accepts the claims of another assertion")
	}
	options := []jwt.ParseOption{jwt.WithKey(alg, key), jwt.WithRequiredClaim("iat")}
	if s.Audience != "" {
		options = append(options, jwt.WithAudience(s.Audience))
	}
	if !s.Proof {
		options = append(options, jwt.WithRequiredClaim("exp"))
	}
	if _, err := jwt.Parse([]byte(s.Assertion), options...); err != nil {
		t.Error(err)
	}
}

func verifyByJOSE(t *testing.T, servers *nodeServers, s specimen) {
	// Without a kid, jose takes the only key with the algorithm.
	if kid := jwtHeader(t, s.Assertion)["kid"]; kid != nil && kid != s.Kid {
		t.Logf("%s uses kid %v, which is not in the JWKS", s.Name, kid)
		if problem, err := servers.verifyByJOSE(t.Context(), s.Assertion); err != nil || problem != "ERR_JWKS_NO_MATCHING_KEY" {
			t.Errorf("jose: %q, %v", problem, err)
		}
		return
	}
	if problem, err := servers.verifyByJOSE(t.Context(), s.Assertion); err != nil || problem != "" {
		t.Errorf("jose: %s, %v", problem, err)
	}
	if problem, err := servers.verifyByJOSE(t.Context(), s.Spoiled); err != nil || problem != "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" {
		t.Errorf("claims of another assertion: jose: %q, %v", problem, err)
	}
}

func jwtHeader(t *testing.T, assertion string) (header map[string]any) {
	t.Helper()
	part, _, _ := strings.Cut(assertion, ".")
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &header); err != nil {
		t.Fatal(err)
	}
	return header
}

// systemPython is Debian's interpreter, which finds Debian's packages. The PATH
// may have another first.
const systemPython = "/usr/bin/python3"

func verifyByPython(t *testing.T, set jwk.Set, specimens []specimen) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, systemPython, "python/verify.py")
	command.Stdin = strings.NewReader(asJSON(t, map[string]any{"jwks": set, "specimens": specimens}))
	out, err := command.CombinedOutput()
	// Two libraries verify all specimens except one, whose algorithm they do not
	// know.
	if want := fmt.Sprintf("%d\n", 2*(len(specimens)-1)); err != nil || string(out) != want {
		t.Errorf("%v, and printed:\n%s\nwant %s", err, out, want)
	}
}
