package policy

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/ipc/caller"
)

// me is the caller in these tests.
var me = caller.Caller{UID: 1000, GID: 1000, PID: 42}

// mine makes a policy in which me has the given grants, and another client has
// others.
func mine(t testing.TB, grants ...Rule) *Policy {
	t.Helper()
	return mustNew(t,
		Client{Name: "theirs", Match: Match{UID: id(7)}, Grants: []Rule{with(bank(), func(r *Rule) {
			r.Name, r.Key, r.Audiences = "secret-grant", "secret-key", []string{"https://secret.example"}
		})}},
		Client{Name: "mine", Match: Match{UID: id(1000)}, Grants: grants})
}

func TestGrantCarriesItsRule(t *testing.T) {
	p := mine(t, with(bank(), func(r *Rule) {
		r.Rates = []rate.Window{{Limit: 5, Per: time.Second, Burst: 7}}
		r.Allow, r.Loggable = map[string]ClaimRule{"scope": {Any: true}}, []string{"scope"}
	}))
	g, err := p.Decide(me, Request{})
	if err != nil || !g.Valid() {
		t.Fatal(err)
	}
	got := []any{g.Client(), g.Name(), g.Key(), g.Profile(), g.ClientID(), g.Issuer(), g.Subject(), g.KeyID(), g.Audience(), g.Lifetime(),
		g.rule.Rates[0], g.Loggable()[0], g.InFlight(), len(g.Claims())}
	want := []any{"mine", "bank", "payments", "private_key_jwt", "9f3c0c", "i", "s", "k", "https://as.bank.example", time.Minute,
		rate.Window{Limit: 5, Per: time.Second, Burst: 7}, "scope", DefaultInFlight, 0}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %v, want %v", i, got[i], want[i])
		}
	}
}

func TestAudiencesMatchLiterally(t *testing.T) {
	for _, test := range []struct {
		name      string
		audiences []string
		asked     string
		code      Reason
		got       string
	}{
		{"the configured one", []string{"https://a.example"}, "https://a.example", "allowed", "https://a.example"},
		{"the only one is the default", []string{"https://a.example"}, "", "allowed", "https://a.example"},
		{"one of several must be named", []string{"https://a.example", "https://b.example"}, "", AudienceRequired, ""},
		{"one of several is named", []string{"https://a.example", "https://b.example"}, "https://b.example", "allowed", "https://b.example"},
		{"an extra slash", []string{"https://a.example"}, "https://a.example/", AudienceNotAllowed, ""},
		{"different case", []string{"https://a.example"}, "https://A.example", AudienceNotAllowed, ""},
		{"an extra space", []string{"https://a.example"}, "https://a.example ", AudienceNotAllowed, ""},
		{"a path under it", []string{"https://a.example"}, "https://a.example/x", AudienceNotAllowed, ""},
		{"a prefix of it", []string{"https://a.example"}, "https://a.exampl", AudienceNotAllowed, ""},
		{"a pattern is a literal", []string{"https://*.example"}, "https://a.example", AudienceNotAllowed, ""},
		{"the same letters, composed differently", []string{"https://é.example"}, "https://e\u0301.example", AudienceNotAllowed, ""},
		{"not UTF-8", []string{"https://a.example"}, "https://a.example\xff", AudienceNotAllowed, ""},
		{"512 bytes", []string{strings.Repeat("a", 512)}, strings.Repeat("a", 512), "allowed", strings.Repeat("a", 512)},
		{"513 bytes", []string{"a"}, strings.Repeat("a", 513), AudienceNotAllowed, ""},
		{"an empty list allows none", nil, "https://a.example", AudienceNotAllowed, ""},
		{"an empty list allows no request", nil, "", AudienceNotAllowed, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mine(t, with(bank(), func(r *Rule) { r.Audiences = test.audiences }))
			g, err := p.Decide(me, Request{Audience: test.asked})
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err == nil && g.Audience() != test.got {
				t.Errorf("audience %q", g.Audience())
			}
		})
	}
}

func TestProfileWithoutAudience(t *testing.T) {
	p := mine(t, with(bank(), func(r *Rule) { r.Audiences, r.NoAudience = nil, true }))
	if g, err := p.Decide(me, Request{}); err != nil || g.Audience() != "" {
		t.Errorf("without one: %v", err)
	}
	if _, err := p.Decide(me, Request{Audience: "https://as.bank.example"}); code(t, err) != AudienceNotAllowed {
		t.Errorf("with one: %v", err)
	}
}

func TestLifetimes(t *testing.T) {
	p := mine(t, bank())
	for _, test := range []struct {
		name  string
		asked time.Duration
		code  Reason
		got   time.Duration
	}{
		{"zero means the default", 0, "allowed", time.Minute},
		{"a shorter one", time.Second, "allowed", time.Second},
		{"the cap itself", 2 * time.Minute, "allowed", 2 * time.Minute},
		{"a second over the cap is refused, not cut", 121 * time.Second, LifetimeNotAllowed, 0},
		{"negative", -time.Second, LifetimeNotAllowed, 0},
		{"under a second", time.Second - 1, LifetimeNotAllowed, 0},
		{"a fraction", 1500 * time.Millisecond, LifetimeNotAllowed, 0},
		{"the maximum duration", 1<<63 - 1, LifetimeNotAllowed, 0},
		{"the minimum duration", -1 << 63, LifetimeNotAllowed, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := p.Decide(me, Request{Lifetime: test.asked})
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err == nil && g.Lifetime() != test.got {
				t.Errorf("lifetime %v", g.Lifetime())
			}
		})
	}
}

// parse decodes JSON as the server does.
func parse(t testing.TB, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestClaimValues(t *testing.T) {
	values := func(v ...any) ClaimRule { return ClaimRule{Values: v} }
	words := func(v ...any) ClaimRule { return ClaimRule{Words: true, Values: v} }
	each := func(most int, v ...any) ClaimRule { return ClaimRule{EachOf: true, MaxItems: most, Values: v} }
	object := map[string]any{"a": 1, "b": []any{true, nil}}
	for _, test := range []struct {
		name    string
		rule    ClaimRule
		sent    string
		allowed bool
	}{
		{"a listed value", values("read", "write"), `"write"`, true},
		{"a value that is not listed", values("read", "write"), `"admin"`, false},
		{"different case", values("read"), `"Read"`, false},
		{"an empty list allows nothing", values(), `"read"`, false},
		{"an empty list does not allow null", values(), `null`, false},
		{"an empty list does not allow an empty array", values(), `[]`, false},
		{"null if it is listed", values(nil), `null`, true},
		{"an array of listed values", values("read", "write"), `["write","read"]`, false},
		{"an array of one listed value", values("read", "write"), `["read"]`, false},
		{"an object of listed values", values("read", "write"), `{"read":"write"}`, false},
		{"an array with a value that is not listed", values("read", "write"), `["write","admin"]`, false},
		{"an empty array if it is not listed", values("read"), `[]`, false},
		{"an empty array if it is listed", values([]any{}), `[]`, true},
		{"an array in an array", values("read"), `[["read"]]`, false},
		{"a listed array", values([]any{"a", "b"}), `["a","b"]`, true},
		{"a listed array in another order", values([]any{"a", "b"}), `["b","a"]`, false},
		{"a []string in Go", values([]string{"a", "b"}), `["a","b"]`, true},
		{"a string is not split without words", values("read", "write"), `"read write"`, false},
		{"the number 1", values(1), `1`, true},
		{"the number 1 as 1.0", values(1), `1.0`, true},
		{"the number 1 as 10e-1", values(1), `10e-1`, true},
		{"the number 100 as 1E+2", values(uint64(100)), `1E+2`, true},
		{"the number 0 as -0", values(0), `-0.0e7`, true},
		{"a fraction", values(0.25), `25e-2`, true},
		{"an array of numbers", values(1, 2), `[2.0,1]`, false},
		{"numbers keep every digit", values(json.Number("9007199254740993")), `9007199254740992`, false},
		{"a string is not a number", values(1), `"1"`, false},
		{"a number is not a string", values("1"), `1`, false},
		{"true is not 1", values(1), `true`, false},
		{"false is not null", values(nil), `false`, false},
		{"minus one is not one", values(1), `-1`, false},
		{"a huge number takes no memory", values(1), `1e999999999`, false},
		{"a number out of range", ClaimRule{Any: true}, `1e99999999999`, false},
		{"a listed object with members in another order", values(object), `{"b":[true,null],"a":1.0}`, true},
		{"an object with an extra member", values(object), `{"b":[true,null],"a":1,"c":2}`, false},
		{"an object with a missing member", values(object), `{"a":1}`, false},
		{"an object with a different member", values(object), `{"b":[true,false],"a":1}`, false},
		{"any", ClaimRule{Any: true}, `{"x":[1,{"y":null}]}`, true},
		{"eight levels", ClaimRule{Any: true}, `[[[[[[[[1]]]]]]]]`, true},
		{"nine levels", ClaimRule{Any: true}, `[[[[[[[[[1]]]]]]]]]`, false},
		{"nine levels of objects and arrays", ClaimRule{Any: true}, `{"a":[{"a":[{"a":[{"a":[{"a":1}]}]}]}]}`, false},
		{"one word", words("read", "write"), `"read"`, true},
		{"several words", words("read", "write"), `"write read"`, true},
		{"a word that is not listed", words("read", "write"), `"write admin"`, false},
		{"two spaces", words("read", "write"), `"write  read"`, false},
		{"a leading space", words("read"), `" read"`, false},
		{"a trailing space", words("read"), `"read "`, false},
		{"a tab between words", words("read", "write"), `"read\twrite"`, false},
		{"no words", words("read"), `""`, false},
		{"an array of words", words("read", "write"), `["read","write"]`, false},
		{"an array of one word", words("read"), `["read"]`, false},
		{"an array with several words in one string", words("read", "write"), `["read write"]`, false},
		{"an empty array of words", words("read"), `[]`, false},
		{"a number as words", words("read"), `1`, false},
		{"null as words", words("read"), `null`, false},
		{"words without a list", words(), `"read"`, false},
		{"each of: some", each(0, "a", "b", 3), `["b","a"]`, true},
		{"each of: all", each(0, "a", "b", 3), `["b",3.0,"a"]`, true},
		{"each of: not listed", each(0, "a", "b"), `["a","c"]`, false},
		{"each of: not an array", each(0, "a", "b"), `"a"`, false},
		{"each of: none", each(0, "a"), `[]`, false},
		{"each of: an array in an array", each(0, "a"), `[["a"]]`, false},
		{"each of: an object", each(0, "a"), `{"a":"a"}`, false},
		{"each of: null", each(0, "a"), `null`, false},
		{"each of: null in an array", each(0, "a"), `[null]`, false},
		{"each of: twice the same", each(0, "a", "b"), `["a","a"]`, false},
		{"each of: twice the same number", each(0, 1, 2), `[1,1.0]`, false},
		{"each of: as many as max_items", each(2, "a", "b", "c"), `["c","a"]`, true},
		{"each of: more than max_items", each(2, "a", "b", "c"), `["c","a","b"]`, false},
		{"each of: without a list", each(0), `["a"]`, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mine(t, with(bank(), func(r *Rule) { r.Allow = map[string]ClaimRule{"x": test.rule} }))
			g, err := p.Decide(me, Request{Claims: map[string]any{"x": parse(t, test.sent)}})
			want := ClaimNotAllowed
			if test.allowed {
				want = "allowed"
			}
			if got := code(t, err); got != want {
				t.Fatalf("%v, want %s", err, want)
			}
			if sent := formatValue(parse(t, test.sent)); err == nil && formatValue(g.Claims()["x"]) != sent {
				t.Errorf("claim is %s, was sent as %s", formatValue(g.Claims()["x"]), sent)
			}
		})
	}
}

func TestClaims(t *testing.T) {
	rule := with(bank(), func(r *Rule) {
		r.Allow = map[string]ClaimRule{"scope": {Values: []any{"read"}}, "nonce": {Any: true}}
		r.Force = map[string]any{"tier": 1, "tags": []string{"a"}}
	})
	requiring := func(names ...string) Rule { return with(rule, func(r *Rule) { r.Require = names }) }
	for _, test := range []struct {
		name   string
		rule   Rule
		claims map[string]any
		code   Reason
		got    string
	}{
		{"forced claims are always there", rule, nil, "allowed", `{"tags":["a"],"tier":1}`},
		{"sent and forced are merged", rule, map[string]any{"scope": "read"}, "allowed", `{"scope":"read","tags":["a"],"tier":1}`},
		{"a forced claim sent with the same value", rule, map[string]any{"tier": json.Number("1.0"), "tags": []any{"a"}}, "allowed", `{"tags":["a"],"tier":1}`},
		{"a forced claim sent with another value", rule, map[string]any{"tier": json.Number("2")}, ClaimNotAllowed, ""},
		{"a forced claim sent as null", rule, map[string]any{"tier": nil}, ClaimNotAllowed, ""},
		{"a claim that is not listed", rule, map[string]any{"admin": true}, ClaimNotAllowed, ""},
		{"names are exact", rule, map[string]any{"Scope": "read"}, ClaimNotAllowed, ""},
		{"names are not patterns", rule, map[string]any{"scope*": "read"}, ClaimNotAllowed, ""},
		{"an empty name", rule, map[string]any{"": "read"}, ClaimNotAllowed, ""},
		{"iss", rule, map[string]any{"iss": "x"}, ClaimReserved, ""},
		{"sub", rule, map[string]any{"sub": "s"}, ClaimReserved, ""},
		{"aud", rule, map[string]any{"aud": "https://as.bank.example"}, ClaimReserved, ""},
		{"exp", rule, map[string]any{"exp": json.Number("1")}, ClaimReserved, ""},
		{"nbf", rule, map[string]any{"nbf": nil}, ClaimReserved, ""},
		{"iat", rule, map[string]any{"iat": nil}, ClaimReserved, ""},
		{"jti", rule, map[string]any{"jti": "x"}, ClaimReserved, ""},
		{"ISS, which some receivers decode as iss", rule, map[string]any{"ISS": "x"}, ClaimReserved, ""},
		{"iſs, which encoding/json decodes as iss", rule, map[string]any{"iſs": "x"}, ClaimReserved, ""},
		{"a string that is not UTF-8", rule, map[string]any{"nonce": "\xff"}, ClaimNotAllowed, ""},
		{"a member name that is not UTF-8", rule, map[string]any{"nonce": map[string]any{"\xff": 1}}, ClaimNotAllowed, ""},
		{"a json.Number that is not a number", rule, map[string]any{"nonce": json.Number(`1,"iss":"x"`)}, ClaimNotAllowed, ""},
		{"a value that is not JSON", rule, map[string]any{"nonce": struct{}{}}, ClaimNotAllowed, ""},
		{"a required claim sent", requiring("scope"), map[string]any{"scope": "read"}, "allowed", `{"scope":"read","tags":["a"],"tier":1}`},
		{"a required claim missing", requiring("scope"), nil, ClaimRequired, ""},
		{"a required claim sent as null", requiring("nonce"), map[string]any{"nonce": nil}, ClaimRequired, ""},
		{"a required claim that is forced", requiring("tier"), nil, "allowed", `{"tags":["a"],"tier":1}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := mine(t, test.rule).Decide(me, Request{Claims: test.claims})
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err == nil && formatValue(g.Claims()) != test.got {
				t.Errorf("claims %s, want %s", formatValue(g.Claims()), test.got)
			}
		})
	}
}

func TestGrantSelection(t *testing.T) {
	read := with(bank(), func(r *Rule) { r.Name, r.Allow = "read", map[string]ClaimRule{"scope": {Values: []any{"read"}}} })
	write := with(read, func(r *Rule) { r.Name, r.Allow = "write", map[string]ClaimRule{"scope": {Values: []any{"write"}}} })
	other := with(bank(), func(r *Rule) { r.Name, r.Audiences = "other", []string{"https://b.example", "https://c.example"} })
	tls := raw("tls", "mtls", []string{"SHA-256"}, nil)
	p := mustNew(t,
		Client{Name: "mine", Match: Match{UID: id(1000)}, Grants: []Rule{read, write, other, tls}},
		Client{Name: "ours", Match: Match{GID: id(50)}, Grants: []Rule{read}})
	scope := func(s string) map[string]any { return map[string]any{"scope": s} }
	member := caller.Caller{UID: 1000, Groups: []uint32{50}}
	for _, test := range []struct {
		name   string
		caller caller.Caller
		req    Request
		code   Reason
		detail []string // parts of the refusal, or client and name of the grant
	}{
		{"by name", me, Request{Grant: "write"}, "allowed", []string{"mine", "write"}},
		{"by client and name", me, Request{Grant: "mine/write"}, "allowed", []string{"mine", "write"}},
		{"by audience", me, Request{Audience: "https://c.example"}, "allowed", []string{"mine", "other"}},
		{"by claim", me, Request{Claims: scope("write")}, "allowed", []string{"mine", "write"}},
		{"two fit", me, Request{Audience: "https://as.bank.example"}, GrantAmbiguous, []string{"mine/read", "mine/write", "2 of your grants"}},
		{"two with the same name fit", member, Request{Grant: "read"}, GrantAmbiguous, []string{"mine/read", "ours/read"}},
		{"one of them, by client and name", member, Request{Grant: "ours/read"}, "allowed", []string{"ours", "read"}},
		{"another client", me, Request{Grant: "ours/read"}, GrantNotFound, []string{"mine/read, mine/write, mine/other"}},
		{"a name that does not exist", me, Request{Grant: "delete"}, GrantNotFound, []string{`no grant "delete"`, "mine/read"}},
		{"a grant for raw signatures", me, Request{Grant: "tls"}, GrantNotFound, []string{"for assertions"}},
		{"a name in another case", me, Request{Grant: "Write"}, GrantNotFound, nil},
		{"the grant that gets furthest explains", me, Request{Audience: "https://c.example", Claims: scope("x")},
			ClaimNotAllowed, []string{`Grant "other"`}},
		{"several grants that get furthest explain", me, Request{Audience: "https://as.bank.example", Claims: scope("x")},
			ClaimNotAllowed, []string{`Grant "read"`, `Grant "write"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := p.Decide(test.caller, test.req)
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err == nil {
				if g.Client() != test.detail[0] || g.Name() != test.detail[1] {
					t.Errorf("grant %s/%s", g.Client(), g.Name())
				}
				return
			}
			for _, words := range test.detail {
				if !strings.Contains(err.Error(), words) {
					t.Errorf("%q does not contain %q", err, words)
				}
			}
		})
	}
}

func TestClientWithoutAssertionGrants(t *testing.T) {
	p := mine(t, raw("tls", "mtls", []string{"SHA-256"}, nil))
	for _, name := range []string{"", "tls", "x"} {
		if _, err := p.Decide(me, Request{Grant: name}); code(t, err) != GrantNotFound {
			t.Errorf("grant %q: %v", name, err)
		}
	}
}

// A refusal says nothing about other clients or processes, repeats no claim
// value, and stays short.
func TestRefusalsLeakNothing(t *testing.T) {
	p := mine(t, with(bank(), func(r *Rule) { r.Allow = map[string]ClaimRule{"x": {Values: []any{"a"}}} }),
		raw("tls", "mtls", []string{"SHA-256"}, []string{"pss"}))
	long := strings.Repeat("long", 10_000)
	claim := func(name string, value any) Request { return Request{Claims: map[string]any{name: value}} }
	for _, req := range []Request{
		{Grant: "secret-grant"}, {Grant: "theirs/secret-grant"}, {Audience: "https://secret.example"}, {Audience: "x"}, {Grant: long}, {Audience: long},
		claim("x", "hush"), claim("x", long), claim(long, "hush"), claim("iss", "hush"), claim("x", "hush\xff"), {Lifetime: time.Hour},
	} {
		_, err := p.Decide(me, req)
		checkLeaksNothing(t, err, req.Grant+req.Audience)
	}
	for _, req := range []RawRequest{{Key: "secret-key"}, {Key: long}, {Key: "mtls", Hash: long}, {Key: "mtls", Hash: "SHA-256", Padding: long}} {
		_, err := p.DecideRaw(me, req)
		checkLeaksNothing(t, err, req.Key)
	}
	_, err := p.Decide(caller.Caller{UID: 5}, Request{})
	checkLeaksNothing(t, err, "")
	_, err = p.Decide(caller.Caller{UID: 5, Client: "theirs"}, Request{})
	checkLeaksNothing(t, err, "")
}

func checkLeaksNothing(t *testing.T, err error, sent string) {
	t.Helper()
	if code(t, err) == "allowed" {
		t.Fatal("allowed")
	}
	for _, word := range []string{"secret", "hush", "theirs"} {
		if strings.Contains(err.Error(), word) && !strings.Contains(sent, word) {
			t.Errorf("%q contains %q", err, word)
		}
	}
	if len(err.Error()) > 2000 {
		t.Errorf("refusal has %d bytes: %.200s…", len(err.Error()), err)
	}
}

func TestRefusalsOfManyGrantsStayShort(t *testing.T) {
	var grants []Rule
	for i := range 500 {
		grants = append(grants, with(bank(), func(r *Rule) { r.Name = "grant-" + strings.Repeat("x", i%60) + formatID(uint32(i)) }))
	}
	p := mine(t, grants...)
	for _, req := range []Request{{}, {Grant: "x"}, {Audience: "x"}} {
		_, err := p.Decide(me, req)
		checkLeaksNothing(t, err, "")
	}
}

func TestRawSignatures(t *testing.T) {
	p := mine(t, bank(),
		raw("tls", "mtls", []string{"SHA-256", "SHA-384"}, nil),
		raw("code", "rsa", []string{"SHA-256"}, []string{"pkcs1v15", "pss"}),
		raw("one", "rsa-pss", []string{"SHA-256"}, []string{"pss"}),
		raw("nothing", "empty", nil, nil),
		raw("first", "shared", []string{"SHA-256"}, nil),
		raw("second", "shared", []string{"SHA-256", "SHA-512"}, nil))
	for _, test := range []struct {
		name    string
		req     RawRequest
		code    Reason
		grant   string
		padding string
	}{
		{"a key without padding", RawRequest{"mtls", "SHA-384", ""}, "allowed", "tls", ""},
		{"a padding for a key without padding", RawRequest{"mtls", "SHA-384", "pss"}, PaddingNotAllowed, "", ""},
		{"a hash that is not listed", RawRequest{"mtls", "SHA-1", ""}, HashNotAllowed, "", ""},
		{"no hash", RawRequest{"mtls", "", ""}, HashNotAllowed, "", ""},
		{"a padding", RawRequest{"rsa", "SHA-256", "pss"}, "allowed", "code", "pss"},
		{"no padding if there are several", RawRequest{"rsa", "SHA-256", ""}, PaddingNotAllowed, "", ""},
		{"a padding that is not listed", RawRequest{"rsa", "SHA-256", "none"}, PaddingNotAllowed, "", ""},
		{"the only padding is the default", RawRequest{"rsa-pss", "SHA-256", ""}, "allowed", "one", "pss"},
		{"an empty list allows nothing", RawRequest{"empty", "SHA-256", ""}, HashNotAllowed, "", ""},
		{"a key set for assertions", RawRequest{"payments", "SHA-256", ""}, KeyNotAllowed, "", ""},
		{"another client's key set", RawRequest{"secret-key", "SHA-256", ""}, KeyNotAllowed, "", ""},
		{"no key set", RawRequest{"", "SHA-256", ""}, KeyNotAllowed, "", ""},
		{"two grants fit", RawRequest{"shared", "SHA-256", ""}, GrantAmbiguous, "", ""},
		{"one of two fits", RawRequest{"shared", "SHA-512", ""}, "allowed", "second", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := p.DecideRaw(me, test.req)
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err != nil {
				return
			}
			if !g.Valid() || g.Client() != "mine" || g.Name() != test.grant ||
				g.Key() != test.req.Key || g.Hash() != test.req.Hash || g.Padding() != test.padding {
				t.Errorf("grant %s of %s: %s %s %s", g.Name(), g.Client(), g.Key(), g.Hash(), g.Padding())
			}
			if g.InFlight() != DefaultInFlight || len(g.rule.Rates) != 0 {
				t.Errorf("in flight %d, rates %v", g.InFlight(), g.rule.Rates)
			}
		})
	}
	if _, err := p.DecideRaw(caller.Caller{UID: 5}, RawRequest{Key: "mtls"}); code(t, err) != UnknownCaller {
		t.Errorf("unknown caller: %v", err)
	}
	if _, err := mine(t, bank()).DecideRaw(me, RawRequest{Key: "payments"}); code(t, err) != KeyNotAllowed {
		t.Errorf("without grants for raw signatures: %v", err)
	}
}

// The caller of a dry run has no PID, and often no group.
func TestUnknownCallerRefusalListsKnownIDs(t *testing.T) {
	p, err := New(nil)
	if err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]caller.Caller{
		"(uid 5, gid 6, pid 7)": {UID: 5, GID: 6, PID: 7},
		"(uid 5)":               {UID: 5, GID: ^uint32(0)},
		"(uid 0, gid 0)":        {Client: "bound"},
	} {
		if _, err := p.Decide(c, Request{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
