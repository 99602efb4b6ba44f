package profile

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func mustLookup(t testing.TB, name string) *Profile {
	t.Helper()
	p, ok := Lookup(name)
	if !ok {
		t.Fatalf("no profile %s", name)
	}
	return p
}

// contradictionsOf lists the settings that an error from Check reports.
func contradictionsOf(t *testing.T, err error) []string {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		t.Fatalf("Check returned %T, want joined errors", err)
	}
	var settings []string
	for _, e := range joined.Unwrap() {
		var c *Contradiction
		if !errors.As(e, &c) || !errors.Is(e, ErrContradiction) {
			t.Fatalf("%v is not a contradiction", e)
		}
		if c.Rule == "" || c.Given == "" || c.Fix == "" || !strings.Contains(c.Error(), c.Profile) {
			t.Errorf("%+v does not name the rule, the setting and the fix", c)
		}
		settings = append(settings, c.Setting)
	}
	return settings
}

func TestCheck(t *testing.T) {
	const (
		issuer = "https://as.example.com"
		token  = "https://as.example.com/token"
	)
	for _, test := range []struct {
		name, profile string
		change        func(*Settings)
		want          []string
	}{
		{"only the profile", "private_key_jwt", func(s *Settings) { *s = Settings{} },
			[]string{"key", "client_id", "audiences", "lifetime.default", "lifetime.max"}},
		{"algorithm", "entra-certificate", func(s *Settings) { s.Alg = "ES256" }, []string{"key"}},
		{"no certificate", "entra-certificate", func(s *Settings) { s.HasCertificate = false }, []string{"key"}},
		{"no tenant", "entra-certificate", audience("https://login.microsoftonline.com/common/oauth2/v2.0/token"), []string{"audiences[0]"}},
		{"issuer for Entra", "entra-certificate", audience("https://login.microsoftonline.com/contoso/v2.0"), []string{"audiences[0]"}},
		{"token endpoint instead of the issuer", "rfc10070", audience(token), []string{"audiences[0]"}},
		{"issuer with a query", "fapi2", audience(issuer + "?a=b"), []string{"audiences[0]"}},
		{"issuer with an empty query", "fapi2", audience(issuer + "?"), []string{"audiences[0]"}},
		{"issuer with a fragment", "fapi2", audience(issuer + "#"), []string{"audiences[0]"}},
		{"second audience", "fapi2", func(s *Settings) { s.Audiences = append(s.Audiences, token) }, []string{"audiences[1]"}},
		{"http", "private_key_jwt", audience("http://as.example.com/token"), []string{"audiences[0]"}},
		{"http on loopback", "private_key_jwt", audience("http://127.0.0.1:8080/token"), nil},
		{"http on IPv6 loopback", "private_key_jwt", audience("http://[::1]:8080/token"), nil},
		{"host that starts like loopback", "private_key_jwt", audience("http://127.0.0.1.example.com/token"), []string{"audiences[0]"}},
		{"user name in the URL", "private_key_jwt", audience("https://a@as.example.com/token"), []string{"audiences[0]"}},
		{"space in the URL", "private_key_jwt", audience("https://as.example.com/to ken"), []string{"audiences[0]"}},
		{"not a URL", "private_key_jwt", audience("as.example.com"), []string{"audiences[0]"}},
		{"query at the token endpoint", "private_key_jwt", audience(token + "?p=b2c"), nil},
		{"tenant without the slash", "auth0", audience("https://example.eu.auth0.com"), []string{"audiences[0]"}},
		{"no key ID", "auth0", func(s *Settings) { s.KeyID = "" }, []string{"key_id"}},
		{"scheme in the audience", "docusign", audience("https://account.docusign.com"), []string{"audiences[0]"}},
		{"an audience for a profile without", "github-app", audience("https://api.github.com"), []string{"audiences[0]"}},
		{"a different literal", "apple-client-secret", audience("https://appleid.apple.com/"), []string{"audiences[0]"}},
		{"above the cap", "box", lifetime(time.Minute, 2*time.Minute), []string{"lifetime.max"}},
		{"default above the maximum", "box", lifetime(time.Minute, 30*time.Second), []string{"lifetime.default"}},
		{"not exactly an hour", "google-self-signed", lifetime(time.Minute, time.Hour), []string{"lifetime.default"}},
		{"below a second", "box", lifetime(time.Millisecond, time.Second), []string{"lifetime.default"}},
		{"no nbf", "private_key_jwt", func(s *Settings) { s.NoNotBefore = true }, nil},
		{"no nbf where there is none", "okta", func(s *Settings) { s.NoNotBefore = true }, []string{"not_before"}},
		{"half the lifetime in the past", "private_key_jwt", backDate(30 * time.Second), nil},
		{"more than half", "private_key_jwt", backDate(31 * time.Second), []string{"not_before.leeway"}},
		{"a part of a second", "private_key_jwt", backDate(1500 * time.Millisecond), []string{"not_before.leeway"}},
		{"an issuer in capitals", "aws-web-identity", func(s *Settings) { s.Issuer = "https://ID.example.com" }, []string{"issuer"}},
		{"an issuer with two slashes", "entra-federated", func(s *Settings) { s.Issuer = "https://id.example.com//" }, []string{"issuer"}},
		{"a target in its normal form", "dpop", values("htu", "https://as.example/", "https://as.example/token"), nil},
		{"a target in another form", "dpop", values("htu", "https://as.example", "https://as.example:443/token"), []string{"claims.allow.htu", "claims.allow.htu"}},
		{"a method in small letters", "dpop", values("htm", "post"), []string{"claims.allow.htm"}},
		{"the v1 endpoint of Entra", "entra-certificate", audience("https://login.microsoftonline.com/contoso/oauth2/token"), nil},
		{"an own audience at Entra", "entra-federated", audience("https://payments.example.com"), nil},
		{"an audience too long for Entra", "entra-federated", audience(strings.Repeat("a", 601)), []string{"audiences[0]"}},
		{"a resource name at Google", "google-workload-identity", audience("//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/a"), nil},
		{"an own audience at Google", "google-workload-identity", audience("payments"), nil},
		{"the issuer for Hydra is a URL like any", "hydra", audience("https://hydra.example.com/oauth2/token"), nil},
		{"the token endpoint for ZITADEL", "zitadel", audience("https://id.example.com/oauth/token"), []string{"audiences[0]"}},
		{"the token endpoint for Duende", "duende", audience("https://identity.example.com/connect/token"), []string{"audiences[0]"}},
		{"the issuer for Spring", "spring", audience("https://as.example.com"), nil},
		{"EdDSA for Hydra", "hydra", func(s *Settings) { s.Alg = "EdDSA" }, []string{"key"}},
		{"EdDSA for Kubernetes", "kubernetes-jwt", func(s *Settings) { s.Alg = "EdDSA" }, []string{"key"}},
		{"the new name of EdDSA for OpenBao", "openbao-jwt", func(s *Settings) { s.Alg = "Ed25519" }, []string{"key"}},
		{"a key ID where there is no kid", "ishare", func(s *Settings) { s.KeyID = "mine" }, []string{"key_id"}},
		{"no certificate for a chain", "udap", func(s *Settings) { s.HasCertificate = false }, []string{"key"}},
		{"Maskinporten without its slash", "maskinporten", audience("https://maskinporten.no"), []string{"audiences[0]"}},
		{"an old iat for Maskinporten", "maskinporten", backDate(6 * time.Second), []string{"not_before.leeway"}},
		{"a different subject", "private_key_jwt", func(s *Settings) { s.Subject = "someone" }, []string{"subject"}},
		{"the same subject", "private_key_jwt", func(s *Settings) { s.Subject = s.ClientID }, nil},
		{"an issuer", "private_key_jwt", func(s *Settings) { s.Issuer = issuer }, []string{"issuer"}},
		{"a subject in a request object", "request-object", func(s *Settings) { s.Subject = "someone" }, []string{"subject"}},
		{"no client ID", "private_key_jwt", func(s *Settings) { s.ClientID = "" }, []string{"client_id"}},
		{"an account without a user", "snowflake", func(s *Settings) { s.Subject = "MYORG-ACCOUNT" }, []string{"subject"}},
		{"not a SPIFFE ID", "spiffe-jwt-svid", func(s *Settings) { s.Subject = "spiffe://example.org" }, []string{"subject"}},
		{"dots in a SPIFFE ID", "spiffe-jwt-svid", func(s *Settings) { s.Subject = "spiffe://example.org/../a" }, []string{"subject"}},
		{"registered claim allowed", "private_key_jwt", allow("iss"), []string{"claims.allow.iss"}},
		{"registered claim forced", "private_key_jwt", force("exp", 1), []string{"claims.set.exp"}},
		{"registered claim required", "private_key_jwt", func(s *Settings) { s.RequiredClaims = []string{"jti"} }, []string{"claims.require.jti"}},
		{"registered claim in different case", "private_key_jwt", allow("Sub"), []string{"claims.allow.Sub"}},
		{"registered claim with a long s", "private_key_jwt", allow("i\u017fs"), []string{"claims.allow.i\u017fs"}},
		{"header parameter as a claim", "private_key_jwt", allow("kid"), []string{"claims.allow.kid"}},
		{"unknown claim", "salesforce", allow("scope"), []string{"claims.allow.scope"}},
		{"scope together with an audience", "google-self-signed", allow("scope"), []string{"claims.allow.scope"}},
		{"known claim in different case", "docusign", allow("Scope"), []string{"claims.allow.Scope"}},
		{"forced value in a different format", "box", force("box_sub_type", "group"), []string{"claims.set.box_sub_type"}},
		{"required claim neither allowed nor forced", "box", func(s *Settings) { s.ForcedClaims = nil }, []string{"claims"}},
		{"the daemon's client_id", "request-object", allow("client_id"), []string{"claims.allow.client_id"}},
		{"nested request", "request-object", allow("request_uri"), []string{"claims.allow.request_uri"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustLookup(t, test.profile)
			s := p.Example.complete(p)
			s.ForcedClaims = p.Example.ForcedClaims
			test.change(&s)
			if got := contradictionsOf(t, p.Check(s)); !slices.Equal(got, test.want) {
				t.Errorf("contradictions in %q, want %q: %v", got, test.want, p.Check(s))
			}
		})
	}
}

func audience(value string) func(*Settings) {
	return func(s *Settings) { s.Audiences = []string{value} }
}

func lifetime(normal, most time.Duration) func(*Settings) {
	return func(s *Settings) { s.DefaultLifetime, s.MaxLifetime = normal, most }
}

func backDate(d time.Duration) func(*Settings) {
	return func(s *Settings) { s.BackDate = &d }
}

func values(claim string, given ...any) func(*Settings) {
	return func(s *Settings) { s.AllowedValues = map[string][]any{claim: given} }
}

func allow(name string) func(*Settings) {
	return func(s *Settings) { s.AllowedClaims = append(slices.Clone(s.AllowedClaims), name) }
}

func force(name string, value any) func(*Settings) {
	return func(s *Settings) { s.ForcedClaims = map[string]any{name: value} }
}

func TestComplete(t *testing.T) {
	for _, test := range []struct {
		name, profile string
		given         Settings
		normal, most  time.Duration
		audiences     []string
	}{
		{"nothing set", "private_key_jwt", Settings{}, time.Minute, time.Minute, nil},
		{"only the maximum", "private_key_jwt", Settings{MaxLifetime: 2 * time.Minute}, time.Minute, 2 * time.Minute, nil},
		{"maximum below the profile's default", "private_key_jwt", Settings{MaxLifetime: 30 * time.Second}, 30 * time.Second, 30 * time.Second, nil},
		{"only the default", "private_key_jwt", Settings{DefaultLifetime: 90 * time.Second}, 90 * time.Second, 90 * time.Second, nil},
		{"exact", "google-self-signed", Settings{}, time.Hour, time.Hour, nil},
		{"only one possible audience", "coinbase-cdp", Settings{}, 2 * time.Minute, 2 * time.Minute, []string{"cdp_service"}},
		{"several possible audiences", "entra-federated", Settings{}, 5 * time.Minute, 5 * time.Minute, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := mustLookup(t, test.profile).Complete(test.given)
			if got.DefaultLifetime != test.normal || got.MaxLifetime != test.most || !slices.Equal(got.Audiences, test.audiences) {
				t.Errorf("got %v %v %v", got.DefaultLifetime, got.MaxLifetime, got.Audiences)
			}
		})
	}
}

// TestRowsAreComplete checks that no row lacks a required field.
func TestRowsAreComplete(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range All() {
		if seen[p.Name] {
			t.Errorf("duplicate profile %s", p.Name)
		}
		seen[p.Name] = true
		for what, text := range map[string]string{
			"family": string(p.Family), "title": p.Title, "source": p.Source, "send": string(p.Send), "jti": string(p.JTI),
			"delivery": string(p.Delivery), "key ID rule": string(p.KeyID), "register": p.Register, "audience form": string(p.Audience.Form),
		} {
			if text == "" {
				t.Errorf("%s: no %s", p.Name, what)
			}
		}
		if len(p.Algorithms) == 0 || p.DefaultLifetime < time.Second || p.DefaultLifetime > p.MaxLifetime {
			t.Errorf("%s: algorithms %v, lifetimes %v and %v", p.Name, p.Algorithms, p.DefaultLifetime, p.MaxLifetime)
		}
		for _, rule := range p.Claims {
			if isReserved(rule.Name) || rule.Format == "" {
				t.Errorf("%s: claim %q is reserved or has no format", p.Name, rule.Name)
			}
		}
		for _, alg := range p.Algorithms {
			if !slices.Contains(allAlgorithms(), alg) {
				t.Errorf("%s: the daemon has no algorithm %s", p.Name, alg)
			}
		}
	}
}
