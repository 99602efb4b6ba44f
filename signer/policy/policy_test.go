package policy

import (
	"errors"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/ipc/caller"
)

func id(n uint32) *uint32 { return &n }

// bank is a typical grant.
func bank() Rule {
	return Rule{
		Name: "bank", Key: "payments", Profile: "private_key_jwt", ClientID: "9f3c0c", Issuer: "i", Subject: "s", KeyID: "k",
		Audiences:       []string{"https://as.bank.example"},
		DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute,
	}
}

// with returns a modified copy of a rule.
func with(r Rule, change func(*Rule)) Rule {
	change(&r)
	return r
}

func raw(name, key string, hashes, paddings []string) Rule {
	return Rule{Name: name, Key: key, Raw: &RawRule{Hashes: hashes, Paddings: paddings}}
}

func mustNew(t testing.TB, clients ...Client) *Policy {
	t.Helper()
	p, err := New(clients)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// code is the refusal's code, or "allowed".
func code(t testing.TB, err error) Reason {
	t.Helper()
	if err == nil {
		return "allowed"
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		t.Fatalf("%T is not a refusal: %v", err, err)
	}
	if refusal.Detail == "" {
		t.Errorf("refusal %s has no detail", refusal.Code)
	}
	return refusal.Code
}

const sum = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestEverySelectorMustMatch(t *testing.T) {
	service := caller.Caller{
		UID: 1000, GID: 100, PID: 7, Groups: []uint32{27, 44}, Executable: "/usr/bin/api", ExecutableSHA256: sum,
		Unit: "api.service", Container: "c0ffee", Listener: "/run/a.sock",
	}
	all := Match{
		UID: id(1000), GID: id(100), Executable: "/usr/bin/api", ExecutableSHA256: sum,
		Unit: "api.service", Container: "c0ffee", Listener: "/run/a.sock",
	}
	but := func(change func(*Match)) Match { m := all; change(&m); return m }
	for _, test := range []struct {
		name    string
		match   Match
		matches bool
	}{
		{"all of them", all, true},
		{"only uid", Match{UID: id(1000)}, true},
		{"uid 0 is not a wildcard", Match{UID: id(0)}, false},
		{"primary group", Match{GID: id(100)}, true},
		{"supplementary group", Match{GID: id(44)}, true},
		{"a group that it is not in", Match{GID: id(1000)}, false},
		{"only executable", Match{Executable: "/usr/bin/api"}, true},
		{"only hash", Match{ExecutableSHA256: sum}, true},
		{"hash in upper case", Match{ExecutableSHA256: strings.ToUpper(sum)}, true},
		{"only unit", Match{Unit: "api.service"}, true},
		{"only container", Match{Container: "c0ffee"}, true},
		{"only listener", Match{Listener: "/run/a.sock"}, true},
		{"all but the uid", but(func(m *Match) { m.UID = id(1001) }), false},
		{"all but the group", but(func(m *Match) { m.GID = id(101) }), false},
		{"all but the executable", but(func(m *Match) { m.Executable = "/usr/bin/ap" }), false},
		{"all but the hash", but(func(m *Match) { m.ExecutableSHA256 = strings.Repeat("0", 64) }), false},
		{"all but the unit", but(func(m *Match) { m.Unit = "api2.service" }), false},
		{"all but the container", but(func(m *Match) { m.Container = "c0ffe" }), false},
		{"all but the listener", but(func(m *Match) { m.Listener = "/run/b.sock" }), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := mustNew(t, Client{Name: "c", Match: test.match, Grants: []Rule{bank()}})
			want := UnknownCaller
			if test.matches {
				want = "allowed"
			}
			if _, err := p.Decide(service, Request{}); code(t, err) != want {
				t.Errorf("%v, want %s", err, want)
			}
			if visible := p.Visible(service); (len(visible) == 1) != test.matches {
				t.Errorf("visible: %v", visible)
			}
		})
	}
}

func TestUnknownAttributesMatchNothing(t *testing.T) {
	for _, m := range []Match{{Executable: "/x"}, {ExecutableSHA256: sum}, {Unit: "x.service"}, {Container: "x"}, {Listener: "/x"}} {
		p := mustNew(t, Client{Name: "c", Match: m, Grants: []Rule{bank()}})
		if _, err := p.Decide(caller.Caller{}, Request{}); code(t, err) != UnknownCaller {
			t.Errorf("%+v matches a caller without attributes", m)
		}
	}
	if (&client{}).matches(&caller.Caller{}) {
		t.Error("a client without selectors matches")
	}
}

func TestListenerBoundToClient(t *testing.T) {
	p := mustNew(t,
		Client{Name: "shared", Match: Match{UID: id(1000)}, Grants: []Rule{with(bank(), func(r *Rule) { r.Name = "shared-bank" })}},
		Client{Name: "boxed", Match: Match{Listener: "/run/boxed.sock"}, Grants: []Rule{bank()}},
		Client{Name: "strict", Match: Match{UID: id(1000), Unit: "s.service"}, Grants: []Rule{bank()}},
	)
	for _, test := range []struct {
		name   string
		caller caller.Caller
		client string
		code   Reason
	}{
		{"gives only that client's grants", caller.Caller{UID: 1000, Listener: "/run/boxed.sock", Client: "boxed"}, "boxed", "allowed"},
		{"matches anyone who can reach it, if it is the only selector", caller.Caller{UID: 7, Listener: "/run/boxed.sock", Client: "boxed"}, "boxed", "allowed"},
		{"does not match on another socket", caller.Caller{UID: 7, Listener: "/run/other.sock"}, "", UnknownCaller},
		{"the client's other selectors do not match", caller.Caller{UID: 1000, Listener: "/run/s.sock", Client: "strict"}, "", UnknownCaller},
		{"the client's other selectors match", caller.Caller{UID: 1000, Unit: "s.service", Listener: "/run/s.sock", Client: "strict"}, "strict", "allowed"},
		{"a client that does not exist", caller.Caller{UID: 1000, Listener: "/run/x.sock", Client: "gone"}, "", UnknownCaller},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := p.Decide(test.caller, Request{})
			if got := code(t, err); got != test.code {
				t.Fatalf("%v, want %s", err, test.code)
			}
			if err == nil && g.Client() != test.client {
				t.Errorf("client %q", g.Client())
			}
		})
	}
}

func TestVisibleListsOwnGrantsInOrder(t *testing.T) {
	p := mustNew(t,
		Client{Name: "by-group", Match: Match{GID: id(5)}, InFlight: 3, Grants: []Rule{raw("tls", "mtls", []string{"SHA-256"}, nil), bank()}},
		Client{Name: "other", Match: Match{UID: id(2)}, Grants: []Rule{bank()}},
		Client{Name: "by-user", Match: Match{UID: id(1)}, Grants: []Rule{bank()}},
	)
	var got []string
	for _, v := range p.Visible(caller.Caller{UID: 1, GID: 5, Groups: []uint32{5, 5}}) {
		got = append(got, v.Client+"/"+v.Rule.Name)
		if want := map[string]int{"by-group": 3, "by-user": DefaultInFlight}[v.Client]; v.InFlight != want {
			t.Errorf("in flight of %s: %d", v.Client, v.InFlight)
		}
	}
	if want := []string{"by-group/tls", "by-group/bank", "by-user/bank"}; !slices.Equal(got, want) {
		t.Errorf("visible: %v, want %v", got, want)
	}
	if len(p.Visible(caller.Caller{UID: 3})) != 0 {
		t.Error("an unknown caller sees grants")
	}
}

func TestPolicyIsImmutable(t *testing.T) {
	given := []Client{{Name: "c", Match: Match{UID: id(1)}, Grants: []Rule{with(bank(), func(r *Rule) {
		r.Allow = map[string]ClaimRule{"scope": {Values: []any{"read"}}}
		r.Force = map[string]any{"nested": map[string]any{"list": []any{"a"}}}
		r.Rates = []rate.Window{{Limit: 1, Per: time.Second}}
		r.Loggable = []string{"scope"}
	})}}}
	p := mustNew(t, given...)
	*given[0].Match.UID = 2
	given[0].Grants[0].Audiences[0] = "https://evil.example"
	given[0].Grants[0].Allow["scope"].Values[0] = "evil"
	given[0].Grants[0].Force["nested"].(map[string]any)["list"].([]any)[0] = "evil"
	visible := p.Visible(caller.Caller{UID: 1})
	visible[0].Rule.Audiences[0] = "https://evil.example"
	visible[0].Rule.Force["nested"] = "evil"
	visible[0].Rule.Allow["scope"] = ClaimRule{Any: true}
	for range 2 {
		g, err := p.Decide(caller.Caller{UID: 1}, Request{Claims: map[string]any{"scope": "read"}})
		if err != nil {
			t.Fatal(err)
		}
		claims := g.Claims()
		if g.Audience() != "https://as.bank.example" || formatValue(claims) != `{"nested":{"list":["a"]},"scope":"read"}` {
			t.Fatalf("the policy changed: %s, %s", g.Audience(), formatValue(claims))
		}
		claims["nested"].(map[string]any)["list"].([]any)[0] = "evil"
		g.Loggable()[0] = "evil"
	}
}

func TestWants(t *testing.T) {
	for _, test := range []struct {
		match Match
		want  caller.Attributes
	}{
		{Match{UID: id(1)}, caller.Attributes{}},
		{Match{Executable: "/x"}, caller.Attributes{Executable: true}},
		{Match{ExecutableSHA256: sum}, caller.Attributes{Hash: true}},
		{Match{Unit: "x.service"}, caller.Attributes{Cgroup: true}},
		{Match{Container: "x"}, caller.Attributes{Cgroup: true}},
	} {
		p := mustNew(t, Client{Name: "a", Match: Match{GID: id(1)}}, Client{Name: "b", Match: test.match})
		if p.Wants() != test.want {
			t.Errorf("%+v wants %+v", test.match, p.Wants())
		}
	}
}

func TestZeroGrantsAreNotValid(t *testing.T) {
	if (Grant{}).Valid() || (RawGrant{}).Valid() {
		t.Error("the zero grant is valid")
	}
}

// The package only decides. It must not look anything up, not even the time.
func TestPackageIsPure(t *testing.T) {
	var files []string
	for _, pattern := range []string{"*.go", "../../ipc/caller/*.go", "../../internal/rate/*.go", "../../internal/spelling/*.go"} {
		found, err := filepath.Glob(pattern)
		if err != nil || found == nil {
			t.Fatalf("%s: %v", pattern, err)
		}
		files = append(files, found...)
	}
	pure := []string{"bytes", "cmp", "context", "encoding/hex", "encoding/json", "errors", "fmt", "io", "maps", "math", "path", "slices", "strconv", "strings",
		"text/tabwriter", "time", "unicode", "unicode/utf8", "github.com/assertd/assertd/ipc/caller", "github.com/assertd/assertd/internal/rate", "github.com/assertd/assertd/internal/spelling"}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range parsed.Imports {
			if !slices.Contains(pure, strings.Trim(spec.Path.Value, `"`)) {
				t.Errorf("%s imports %s", file, spec.Path.Value)
			}
		}
		for _, impure := range []string{"time.Now", "time.Since", "time.After", "go func"} {
			if strings.Contains(string(source), impure) {
				t.Errorf("%s uses %s", file, impure)
			}
		}
	}
}
