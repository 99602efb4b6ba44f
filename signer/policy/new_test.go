package policy

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/ipc/caller"
)

// Each case breaks one setting, which New must name.
func TestInvalidConfigurations(t *testing.T) {
	one := func(change func(*Rule)) []Client {
		return []Client{{Name: "c", Match: Match{UID: id(1)}, Grants: []Rule{with(bank(), change)}}}
	}
	matching := func(m Match) []Client { return []Client{{Name: "c", Match: m}} }
	allow := func(name string, rule ClaimRule) []Client {
		return one(func(r *Rule) { r.Allow = map[string]ClaimRule{name: rule} })
	}
	force := func(name string, value any) []Client {
		return one(func(r *Rule) { r.Force = map[string]any{name: value} })
	}
	deep := any("x")
	for range maxDepth + 1 {
		deep = []any{deep}
	}
	user := Match{UID: id(1)}
	for _, test := range []struct {
		name    string
		clients []Client
		setting string
	}{
		{"a client without selectors", matching(Match{}), "match"},
		{"a relative executable", matching(Match{Executable: "api"}), "match.executable"},
		{"an executable path that is not clean", matching(Match{Executable: "/usr/../bin/api"}), "match.executable"},
		{"a truncated hash", matching(Match{ExecutableSHA256: sum[:32]}), "match.executable_sha256"},
		{"a hash that is not hex", matching(Match{ExecutableSHA256: strings.Repeat("x", 64)}), "match.executable_sha256"},
		{"a unit without its suffix", matching(Match{Unit: "payments"}), "match.unit"},
		{"a client without a name", []Client{{Match: user}}, "name"},
		{"a name with a slash", []Client{{Name: "a/b", Match: user}}, "name"},
		{"a name with a space", []Client{{Name: "a b", Match: user}}, "name"},
		{"a name with a newline", []Client{{Name: "a\n", Match: user}}, "name"},
		{"a name that is too long", []Client{{Name: strings.Repeat("a", 129), Match: user}}, "name"},
		{"two clients with the same name", []Client{{Name: "c", Match: user}, {Name: "c", Match: user}}, "name"},
		{"a negative in-flight cap", []Client{{Name: "c", Match: user, InFlight: -1}}, "in_flight"},
		{"two grants with the same name", []Client{{Name: "c", Match: user, Grants: []Rule{bank(), bank()}}}, "name"},
		{"a grant without a name", one(func(r *Rule) { r.Name = "" }), "name"},
		{"no key set", one(func(r *Rule) { r.Key = "" }), "key"},
		{"no profile", one(func(r *Rule) { r.Profile = "" }), "profile"},
		{"an empty audience", one(func(r *Rule) { r.Audiences = []string{""} }), "audiences"},
		{"a duplicate audience", one(func(r *Rule) { r.Audiences = []string{"a", "a"} }), "audiences"},
		{"an audience that is too long", one(func(r *Rule) { r.Audiences = []string{strings.Repeat("a", 513)} }), "audiences"},
		{"an audience that is not UTF-8", one(func(r *Rule) { r.Audiences = []string{"\xff"} }), "audiences"},
		{"an audience with a newline", one(func(r *Rule) { r.Audiences = []string{"a\n"} }), "audiences"},
		{"audiences for a profile without", one(func(r *Rule) { r.NoAudience = true }), "audiences"},
		{"no lifetime", one(func(r *Rule) { r.DefaultLifetime, r.MaxLifetime = 0, 0 }), "lifetime"},
		{"a negative lifetime", one(func(r *Rule) { r.DefaultLifetime = -time.Second }), "lifetime"},
		{"half a second", one(func(r *Rule) { r.DefaultLifetime = time.Second / 2 }), "lifetime"},
		{"a fraction in the cap", one(func(r *Rule) { r.MaxLifetime += time.Millisecond }), "lifetime"},
		{"a default over the cap", one(func(r *Rule) { r.DefaultLifetime = time.Hour }), "lifetime"},
		{"a rate without a limit", one(func(r *Rule) { r.Rates = []rate.Window{{Per: time.Second}} }), "rate"},
		{"a rate without a period", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1}} }), "rate"},
		{"a negative burst", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1, Per: time.Second, Burst: -1}} }), "rate"},
		{"a limit that is too high", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1e9 + 1, Per: time.Second}} }), "rate"},
		{"a period that is too short", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1, Per: time.Microsecond}} }), "rate"},
		{"a period that is too long", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1, Per: 10_000 * time.Hour}} }), "rate"},
		{"a bucket that never fills", one(func(r *Rule) { r.Rates = []rate.Window{{Limit: 1, Per: 8760 * time.Hour, Burst: 26}} }), "rate"},
		{"two rates with the same period", one(func(r *Rule) {
			r.Rates = []rate.Window{{Limit: 1, Per: time.Second}, {Limit: 2, Per: time.Second}}
		}), "rate"},
		{"a registered claim allowed", allow("iss", ClaimRule{Any: true}), "claims"},
		{"a registered claim in another case", allow("AUD", ClaimRule{Any: true}), "claims"},
		{"a registered claim with a long s", allow("iſs", ClaimRule{Any: true}), "claims"},
		{"a registered claim set", force("jti", "x"), "claims"},
		{"a claim without a name", force("", "x"), "claims"},
		{"any value and a list", allow("x", ClaimRule{Any: true, Values: []any{"a"}}), "claims.allow"},
		{"any value and words", allow("x", ClaimRule{Any: true, Words: true}), "claims.allow"},
		{"any value and an array", allow("x", ClaimRule{Any: true, EachOf: true}), "claims.allow"},
		{"words and an array", allow("x", ClaimRule{Words: true, EachOf: true, Values: []any{"a"}}), "claims.allow"},
		{"max_items without each_of", allow("x", ClaimRule{MaxItems: 1, Values: []any{"a"}}), "claims.allow"},
		{"max_items below 0", allow("x", ClaimRule{EachOf: true, MaxItems: -1, Values: []any{"a"}}), "claims.allow"},
		{"more max_items than values", allow("x", ClaimRule{EachOf: true, MaxItems: 2, Values: []any{"a"}}), "claims.allow"},
		{"an array in an array", allow("x", ClaimRule{EachOf: true, Values: []any{[]any{"a"}}}), "claims.allow"},
		{"a word with a space", allow("x", ClaimRule{Words: true, Values: []any{"a b"}}), "claims.allow"},
		{"a word that is a number", allow("x", ClaimRule{Words: true, Values: []any{1}}), "claims.allow"},
		{"an empty word", allow("x", ClaimRule{Words: true, Values: []any{""}}), "claims.allow"},
		{"a number that JSON cannot represent", allow("x", ClaimRule{Values: []any{math.NaN()}}), "claims.allow"},
		{"a value of a type that JSON lacks", force("x", time.Second), "claims.set"},
		{"a value nested too deep", force("x", deep), "claims.set"},
		{"a claim allowed and set", one(func(r *Rule) {
			r.Allow, r.Force = map[string]ClaimRule{"x": {Any: true}}, map[string]any{"x": 1}
		}), "claims"},
		{"claims that differ only in case", one(func(r *Rule) {
			r.Allow, r.Force = map[string]ClaimRule{"Scope": {Any: true}}, map[string]any{"scope": "read"}
		}), "claims"},
		{"a required claim that is not allowed", one(func(r *Rule) { r.Require = []string{"x"} }), "claims.require"},
		{"a loggable claim that is not allowed", one(func(r *Rule) { r.Loggable = []string{"x"} }), "claims.log"},
		{"a raw grant with a profile", one(func(r *Rule) { r.Raw = &RawRule{} }), "raw"},
		{"a duplicate hash", []Client{{Name: "c", Match: user, Grants: []Rule{raw("r", "k", []string{"a", "a"}, nil)}}}, "hashes"},
		{"an empty padding", []Client{{Name: "c", Match: user, Grants: []Rule{raw("r", "k", nil, []string{""})}}}, "paddings"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := New(test.clients)
			var invalid *InvalidError
			if !errors.As(err, &invalid) || !errors.Is(err, ErrInvalid) || p != nil {
				t.Fatalf("error: %v", err)
			}
			if len(invalid.Problems) != 1 || invalid.Problems[0].Setting != test.setting {
				t.Errorf("problems: %+v, want one for %s", invalid.Problems, test.setting)
			}
		})
	}
}

func TestEveryProblemIsReportedWithItsPosition(t *testing.T) {
	_, err := New([]Client{
		{Name: "fine", Match: Match{UID: id(1)}, Grants: []Rule{bank()}},
		{Name: "broken", Grants: []Rule{bank(), with(bank(), func(r *Rule) { r.Name, r.Key = "b", "" })}},
	})
	var invalid *InvalidError
	if !errors.As(err, &invalid) || len(invalid.Problems) != 2 {
		t.Fatalf("error: %v", err)
	}
	first, second := invalid.Problems[0], invalid.Problems[1]
	if first.Client != 1 || first.Grant != -1 || first.Setting != "match" {
		t.Errorf("first: %+v", first)
	}
	if second.Client != 1 || second.Grant != 1 || !strings.Contains(second.Message, `client "broken", grant "b", key:`) {
		t.Errorf("second: %+v", second)
	}
}

func TestEmptyPolicyMatchesNobody(t *testing.T) {
	p := mustNew(t)
	if _, err := p.Decide(caller.Caller{}, Request{}); code(t, err) != UnknownCaller {
		t.Errorf("decision: %v", err)
	}
}
