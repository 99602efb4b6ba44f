package profile

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

// probes lists claim names that no caller may set, and near misses that some
// decoders accept as one.
func probes() []string {
	names := slices.Concat(registered, headerParams)
	for _, name := range slices.Concat(registered, headerParams) {
		names = append(names, strings.ToUpper(name), strings.ToUpper(name[:1])+name[1:])
	}
	return append(names, "i\u017fs", "\u017fub", "\u212aid")
}

// No profile lets a caller set a registered claim or a header parameter. This
// is the property that the package exists for.
func TestCallerSetsNoRegisteredClaimAndNoHeader(t *testing.T) {
	for _, p := range All() {
		for _, name := range probes() {
			in := exampleInput(t, p)
			in.Claims[name] = "evil"
			var refused *ClaimError
			if token, err := p.Build(in); !errors.As(err, &refused) || !errors.Is(err, ErrClaimReserved) {
				t.Errorf("%s: claim %q: %v %v", p.Name, name, token, err)
			}
		}
	}
}

// TestEveryAlgorithmAndLifetime builds each profile with each of its
// algorithms, at and around the shortest and the longest lifetime.
func TestEveryAlgorithmAndLifetime(t *testing.T) {
	for _, p := range All() {
		for _, alg := range p.Algorithms {
			for _, life := range []time.Duration{0, time.Second, p.DefaultLifetime, p.MaxLifetime, p.MaxLifetime + time.Second} {
				in := exampleInput(t, p)
				in.Alg, in.Public, in.Lifetime = alg, fixedPublic(t, alg), life
				in.Certificates = []*x509.Certificate{certificateFor(t, in.Public)}
				token, err := p.Build(in)
				legal := life <= p.MaxLifetime && (!p.ExactLifetime || life == 0 || life == p.MaxLifetime)
				if (err == nil) != legal {
					t.Errorf("%s with %s for %v: %v", p.Name, alg, life, err)
				}
				if err == nil {
					checkToken(t, p, in, token)
				}
			}
		}
	}
}

// checkToken checks what must be true of every token.
func checkToken(t *testing.T, p *Profile, in Input, token Token) {
	t.Helper()
	iat := token.Claims["iat"].(int64)
	if want := in.Now.Unix() - int64(in.BackDate/time.Second); iat != want {
		t.Errorf("%s: iat %d, want %d", p.Name, iat, want)
	}
	exp, present := token.Claims["exp"].(int64)
	if present == p.NoExpiry {
		t.Errorf("%s: has exp: %v", p.Name, present)
	}
	if life := time.Duration(exp-iat) * time.Second; present && (life <= in.BackDate || life > p.MaxLifetime) {
		t.Errorf("%s: %v from iat to exp", p.Name, life)
	}
	if present && token.ExpiresAt.Unix() != exp {
		t.Errorf("%s: ExpiresAt %v, exp %d", p.Name, token.ExpiresAt, exp)
	}
	if nbf, ok := token.Claims["nbf"]; ok != in.NotBefore || ok && nbf != iat {
		t.Errorf("%s: nbf %v, iat %d", p.Name, nbf, iat)
	}
	if jti, _ := token.Claims["jti"].(string); jti != token.JTI || (p.JTI != JTINone && (len(jti) < 16 || len(jti) > 64)) {
		t.Errorf("%s: jti %q and JTI %q", p.Name, jti, token.JTI)
	}
	checkAudience(t, p, in, token)
	checkHeader(t, p, token)
}

func checkAudience(t *testing.T, p *Profile, in Input, token Token) {
	t.Helper()
	want := in.Audience
	if want == "" {
		want = p.Audience.defaultValue()
	}
	switch aud := token.Claims["aud"].(type) {
	case nil:
		if p.Audience.Form != AudienceNone {
			t.Errorf("%s: no aud", p.Name)
		}
	case string:
		if p.Audience.Form != AudienceString || aud != want {
			t.Errorf("%s: aud %q", p.Name, aud)
		}
	case []string:
		if p.Audience.Form != AudienceArray || !slices.Equal(aud, []string{want}) {
			t.Errorf("%s: aud %q", p.Name, aud)
		}
	}
}

func checkHeader(t *testing.T, p *Profile, token Token) {
	t.Helper()
	var want []string
	if p.Typ != "" {
		want = append(want, "typ")
	}
	for _, m := range p.Header {
		want = append(want, string(m))
	}
	slices.Sort(want)
	if got := slices.Sorted(maps.Keys(token.Header)); !slices.Equal(got, want) {
		t.Errorf("%s: header has %q, want %q", p.Name, got, want)
	}
	if jwk, ok := token.Header["jwk"].(map[string]any); ok {
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if _, leaked := jwk[private]; leaked {
				t.Errorf("%s: jwk contains %s", p.Name, private)
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	for _, test := range []struct {
		name, profile string
		change        func(*Input)
		want          error
	}{
		{"an algorithm that is not listed", "fapi2", func(in *Input) { in.Alg = "RS256" }, ErrInput},
		{"none", "custom", func(in *Input) { in.Alg = "none" }, ErrInput},
		{"no time", "custom", func(in *Input) { in.Now = time.Time{} }, ErrInput},
		{"no randomness", "custom", func(in *Input) { in.Random = nil }, ErrInput},
		{"negative lifetime", "custom", func(in *Input) { in.Lifetime = -time.Minute }, ErrInput},
		{"half a second", "custom", func(in *Input) { in.Lifetime = time.Second / 2 }, ErrInput},
		{"no client ID", "private_key_jwt", func(in *Input) { in.ClientID = "" }, ErrInput},
		{"no subject", "jwt-bearer", func(in *Input) { in.Subject = "" }, ErrInput},
		{"no audience", "private_key_jwt", func(in *Input) { in.Audience = "" }, ErrInput},
		{"an audience for a profile without", "dpop", func(in *Input) { in.Audience = "https://as.example.com" }, ErrInput},
		{"a different literal", "coinbase-cdp", func(in *Input) { in.Audience = "other" }, ErrInput},
		{"no certificate", "entra-certificate", func(in *Input) { in.Certificates = nil }, ErrInput},
		{"an expired certificate", "entra-certificate", func(in *Input) { in.Now = in.Now.AddDate(200, 0, 0) }, ErrInput},
		{"a certificate not yet valid", "entra-certificate", func(in *Input) { in.Now = in.Now.AddDate(-20, 0, 0) }, ErrInput},
		{"another key's certificate", "entra-certificate", func(in *Input) { in.Public = fixedPublic(t, "ES256") }, ErrInput},
		{"no public key for the fingerprint", "snowflake", func(in *Input) { in.Public = nil }, ErrInput},
		{"no public key for jwk", "dpop", func(in *Input) { in.Public = nil }, ErrInput},
		{"a symmetric key for jwk", "dpop", func(in *Input) { in.Public = []byte("secret") }, ErrInput},
		{"broken randomness", "custom", func(in *Input) { in.Random = iotest.ErrReader(io.ErrClosedPipe) }, io.ErrClosedPipe},
		{"short randomness", "custom", func(in *Input) { in.Random = bytes.NewReader(make([]byte, 8)) }, io.ErrUnexpectedEOF},
		{"broken randomness for the nonce", "coinbase-cdp", func(in *Input) { in.Random = iotest.ErrReader(io.ErrClosedPipe) }, io.ErrClosedPipe},
		{"a missing claim", "dpop", drop("htm"), ErrClaimRequired},
		{"an unknown claim", "dpop", set("scope", "read"), ErrClaimNotAllowed},
		{"a known claim in different case", "dpop", set("HTM", "GET"), ErrClaimNotAllowed},
		{"a method in lower case", "dpop", set("htm", "post"), ErrClaimNotAllowed},
		{"a relative htu", "dpop", set("htu", "/token"), ErrClaimNotAllowed},
		{"an htu without TLS", "dpop", set("htu", "http://as.example.com/token"), ErrClaimNotAllowed},
		{"a token instead of its hash", "dpop", set("ath", "eyJhbGciOiJFUzI1NiJ9.e30.c2ln"), ErrClaimNotAllowed},
		{"a nonce with a quote", "dpop", set("nonce", `a"b`), ErrClaimNotAllowed},
		{"a number for a string", "docusign", set("scope", json.Number("7")), ErrClaimNotAllowed},
		{"a string for a list", "coinbase-cdp", set("uris", "GET a.example/b"), ErrClaimNotAllowed},
		{"a URL in uris", "coinbase-cdp", set("uris", []any{"GET https://a.example/b"}), ErrClaimNotAllowed},
		{"an empty list", "coinbase-cdp", set("uris", []any{}), ErrClaimNotAllowed},
		{"a word that is not listed", "box", set("box_sub_type", "group"), ErrClaimNotAllowed},
		{"the daemon's client_id", "request-object", set("client_id", "other"), ErrClaimReserved},
		{"a request in a request", "request-object", set("request", "e30"), ErrClaimReserved},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustLookup(t, test.profile)
			in := exampleInput(t, p)
			test.change(&in)
			token, err := p.Build(in)
			if !errors.Is(err, test.want) {
				t.Fatalf("got %v %v, want %v", token, err, test.want)
			}
			var refused *ClaimError
			if errors.As(err, &refused) == errors.Is(err, ErrInput) && !errors.Is(err, io.ErrClosedPipe) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v must be either a ClaimError or ErrInput", err)
			}
		})
	}
}

func set(name string, value any) func(*Input) {
	return func(in *Input) { in.Claims[name] = value }
}

func drop(name string) func(*Input) {
	return func(in *Input) { delete(in.Claims, name) }
}

// The text of a ClaimError goes to callers and into logs.
func TestClaimErrorsContainNoValue(t *testing.T) {
	const secret = "s3cr3t-t0k3n"
	for _, p := range All() {
		for _, name := range append(claimNames(p), "iss", "unknown") {
			for _, value := range []any{secret, []any{secret}, map[string]any{secret: secret}} {
				in := exampleInput(t, p)
				in.Claims[name] = value
				if _, err := p.Build(in); err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %v", p.Name, err)
				}
			}
		}
	}
}

func claimNames(p *Profile) []string {
	var names []string
	for _, rule := range p.Claims {
		names = append(names, rule.Name)
	}
	return names
}

func TestTargetURI(t *testing.T) {
	for _, test := range []struct{ given, want string }{
		{"https://api.example.com/a", "https://api.example.com/a"},
		{"https://api.example.com/a?b=c", "https://api.example.com/a"},
		{"https://api.example.com/a#b?c", "https://api.example.com/a"},
		{"https://api.example.com/a?#", "https://api.example.com/a"},
		{"https://api.example.com", "https://api.example.com/"},
		{"HTTPS://API.example.com:443/a/../%62", "https://api.example.com/b"},
		{"http://localhost:8080/a", "http://localhost:8080/a"},
		{"https://user@api.example.com/", ""},
		{"https:///a", ""},
		{"mailto:a@b", ""},
		{"https://api.example.com/\n", ""},
		{"", ""},
	} {
		got, err := targetURI(test.given)
		if (err == nil) != (test.want != "") || (err == nil && got != test.want) {
			t.Errorf("%q: got %v, %v", test.given, got, err)
		}
	}
}

func TestBuildCopiesTheClaims(t *testing.T) {
	p := mustLookup(t, "custom")
	in := exampleInput(t, p)
	before := maps.Clone(in.Claims)
	if _, err := p.Build(in); err != nil {
		t.Fatal(err)
	}
	if !maps.Equal(in.Claims, before) {
		t.Errorf("Build changed its input: %v", in.Claims)
	}
}

func TestSnowflakeWritesUpperCase(t *testing.T) {
	p := mustLookup(t, "snowflake")
	in := exampleInput(t, p)
	in.Subject = "myorg-account.svc.user"
	token, err := p.Build(in)
	if err != nil {
		t.Fatal(err)
	}
	if iss, sub := token.Claims["iss"].(string), token.Claims["sub"].(string); sub != "MYORG-ACCOUNT.SVC.USER" || !strings.HasPrefix(iss, sub+".SHA256:") {
		t.Errorf("iss %q, sub %q", iss, sub)
	}
}

// x5c is standard base64 with padding, unlike everything else in a header.
func TestChain(t *testing.T) {
	p := Profile{Name: "test", Header: []HeaderParam{ParamX5C, ParamX5T, ParamX5TS256}}
	c := certificate(t)
	header, err := p.header(Input{Now: moment, Public: c.PublicKey, Certificates: []*x509.Certificate{c}})
	if err != nil {
		t.Fatal(err)
	}
	if chain := header["x5c"].([]string); len(chain) != 1 || !strings.HasPrefix(chain[0], "MIIC") || strings.ContainsAny(chain[0], "-_") {
		t.Errorf("x5c %v", chain)
	}
	if len(header["x5t"].(string)) != 27 || len(header["x5t#S256"].(string)) != 43 {
		t.Errorf("thumbprints %v", header)
	}
}

// Receivers count the lifetime from iat.
func TestBackDatedLifetimeStaysWithinProfileAndGrant(t *testing.T) {
	p := mustLookup(t, "private_key_jwt")
	for _, row := range []struct {
		lifetime, most, backDate time.Duration
		left, life               time.Duration // from now, and from iat
	}{
		{time.Minute, time.Minute, 0, time.Minute, time.Minute},
		{time.Minute, time.Minute, 5 * time.Second, 55 * time.Second, time.Minute},
		{20 * time.Second, time.Minute, 30 * time.Second, 20 * time.Second, 50 * time.Second},
		{10 * time.Minute, 0, 30 * time.Second, 570 * time.Second, 10 * time.Minute},
	} {
		in := exampleInput(t, p)
		in.Lifetime, in.MaxLifetime, in.BackDate = row.lifetime, row.most, row.backDate
		token, err := p.Build(in)
		if err != nil {
			t.Fatal(err)
		}
		life := time.Duration(token.Claims["exp"].(int64)-token.Claims["iat"].(int64)) * time.Second
		if left := token.ExpiresAt.Sub(token.IssuedAt); left != row.left || life != row.life {
			t.Errorf("%+v: %v from now, %v from iat", row, left, life)
		}
	}
	for _, backDate := range []time.Duration{-time.Second, time.Millisecond, time.Minute, time.Hour} {
		in := exampleInput(t, p)
		in.MaxLifetime, in.BackDate = time.Minute, backDate
		if _, err := p.Build(in); !errors.Is(err, ErrInput) {
			t.Errorf("%v in the past: %v", backDate, err)
		}
	}
}
