package policy

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc/caller"
)

func TestExplainShowsEveryCheck(t *testing.T) {
	p := mustNew(t,
		Client{Name: "theirs", Match: Match{UID: id(7), Unit: "their.service"}, Grants: []Rule{bank()}},
		Client{Name: "mine", Match: Match{UID: id(1000), GID: id(50)}, Grants: []Rule{
			with(bank(), func(r *Rule) {
				r.Allow, r.Force = map[string]ClaimRule{"scope": {Words: true, Values: []any{"read", "write"}}}, map[string]any{"tier": 1}
				r.Require = []string{"scope"}
			}),
			with(bank(), func(r *Rule) { r.Name, r.NoAudience, r.Audiences = "app", true, nil }),
			raw("tls", "mtls", []string{"SHA-256"}, nil),
		}})
	caller := caller.Caller{UID: 1000, GID: 1000, Groups: []uint32{4, 50}, Unit: "my.service"}
	e := p.Explain(caller, Request{Audience: "https://as.bank.example", Claims: map[string]any{"scope": "read"}})
	want := `allowed: grant bank of client mine
  key set payments, profile private_key_jwt, audience "https://as.bank.example", lifetime 1m0s, claims {"scope":"read","tier":1}
request
  yes  claim names   want none of iss, sub, aud, exp, nbf, iat, jti  have scope
  yes  claim values  want JSON, at most 8 levels deep                have 1 claim
  yes  audience      want at most 512 bytes                          have 23 bytes
  yes  lifetime      want whole seconds, at least 1, or none         have none
client theirs: does not match the caller
  NO  unit  want their.service  have my.service
  NO  uid   want 7              have 1000
  grant bank: not available to the caller
    yes  audience       want "https://as.bank.example"  have "https://as.bank.example"
    NO   claim "scope"  want not allowed                have "read"
    yes  lifetime       want up to 120s, default 60s    have none
client mine: matches the caller
  yes  uid  want 1000  have 1000
  yes  gid  want 50    have 1000, and 50 supplementary
  grant bank: allows the request
    yes  audience                want "https://as.bank.example"                              have "https://as.bank.example"
    yes  claim "scope"           want the words "read", "write", separated by single spaces  have "read"
    yes  required claim "scope"  want present                                                have sent
    yes  lifetime                want up to 120s, default 60s                                have none
  grant app: refuses the request
    NO   audience       want no audience              have "https://as.bank.example"
    NO   claim "scope"  want not allowed              have "read"
    yes  lifetime       want up to 120s, default 60s  have none
  grant tls: for raw signatures only
`
	if got := e.Outcome() + e.Text(true); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestExplainHasNoNullLists(t *testing.T) {
	p := mine(t, raw("tls", "mtls", []string{"SHA-256"}, nil))
	text, err := json.Marshal(p.Explain(me, Request{}).Clients)
	if err != nil || strings.Contains(string(text), "null") {
		t.Errorf("%s: %v", text, err)
	}
}

func TestExplainRefusal(t *testing.T) {
	p := mine(t, bank())
	for _, test := range []struct {
		name   string
		caller caller.Caller
		req    Request
		says   []string
	}{
		{"an unknown caller gets a trace of every client", caller.Caller{UID: 9}, Request{}, []string{"client theirs", "client mine", "NO  uid", "refused: unknown-caller"}},
		{"a bound listener", caller.Caller{UID: 1000, Client: "theirs"}, Request{}, []string{
			"NO   bound listener  want mine  have theirs", "NO   uid             want 7", "refused: unknown-caller"}},
		{"a grant that the request does not name", me, Request{Grant: "x"}, []string{"grant bank: not the grant named in the request", "refused: grant-not-found"}},
		{"a registered claim", me, Request{Claims: map[string]any{"iss": "x"}}, []string{"NO   claim names", "refused: claim-reserved"}},
		{"a value that is not JSON", me, Request{Claims: map[string]any{"x": struct{}{}}}, []string{"NO   claim values", "refused: claim-not-allowed"}},
		{"control characters", me, Request{Audience: "a\n\x1b[31mb"}, []string{`"a\n\x1b[31mb"`, "refused: audience-not-allowed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := p.Explain(test.caller, test.req)
			text := e.Outcome() + e.Text(true)
			for _, words := range test.says {
				if !strings.Contains(text, words) {
					t.Errorf("text does not contain %q:\n%s", words, text)
				}
			}
			if strings.Contains(text, "\x1b") {
				t.Errorf("text contains an escape: %q", text)
			}
		})
	}
}

// One client is enough to see why, of thousands.
func TestExplainLeavesOutOthers(t *testing.T) {
	p := mustNew(t, Client{Name: "far", Match: Match{UID: id(7), Unit: "a.service"}}, Client{Name: "near", Match: Match{UID: id(8)}})
	for _, test := range []struct {
		uid        uint32
		shown, not string
	}{{8, "client near: matches", "client far"}, {9, "client near: does not match", "client far"}} {
		text := p.Explain(caller.Caller{UID: test.uid}, Request{}).Text(false)
		if !strings.Contains(text, test.shown) || strings.Contains(text, test.not) || !strings.Contains(text, "1 other client does not match the caller; --all shows it") {
			t.Errorf("uid %d:\n%s", test.uid, text)
		}
	}
}

func TestManyGroupsStayReadable(t *testing.T) {
	p := mustNew(t, Client{Name: "c", Match: Match{GID: id(1)}})
	groups := make([]uint32, 65536)
	for i := range groups {
		groups[i] = uint32(i + 10)
	}
	text := p.Explain(caller.Caller{GID: 5, Groups: groups}, Request{}).Text(true)
	if !strings.Contains(text, "have 5, 10, 11, 12, 13, 14, 15, 16, 17, and 65528 more") {
		t.Error(text)
	}
}

// checkAgreement fails unless Decide, which uses the index, and Explain, which
// scans everything, reach the same decision, and the trace shows why.
func checkAgreement(t *testing.T, p *Policy, caller caller.Caller, req Request) {
	t.Helper()
	g, err := p.Decide(caller, req)
	e := p.Explain(caller, req)
	if (err == nil) != (e.Refusal == nil) || err == nil != e.Grant.Valid() {
		t.Fatalf("Decide: %v, Explain: %v", err, e.Refusal)
	}
	fitting := fitting(&e)
	if err != nil {
		if *e.Refusal != *err.(*Refusal) {
			t.Fatalf("Decide: %v, Explain: %v", err, e.Refusal)
		}
		if len(fitting) == 1 {
			t.Fatalf("refused with %v, but the trace says that %s fits:\n%s", err, fitting[0], e.Text(true))
		}
		if ambiguous := e.Refusal.Code == GrantAmbiguous; ambiguous != (len(fitting) > 1) {
			t.Fatalf("refused with %v, but the trace says that %v fit", err, fitting)
		}
		return
	}
	if fmt.Sprint(g.Client(), g.Name(), g.Audience(), g.Claims(), g.Lifetime()) !=
		fmt.Sprint(e.Grant.Client(), e.Grant.Name(), e.Grant.Audience(), e.Grant.Claims(), e.Grant.Lifetime()) {
		t.Fatalf("Decide: %s, Explain: %s", g.Name(), e.Grant.Name())
	}
	if len(fitting) != 1 || fitting[0] != g.Client()+"/"+g.Name() {
		t.Fatalf("granted %s, but the trace says that %v fit", g.Name(), fitting)
	}
}

// fitting lists the grants that allow the request according to the trace.
func fitting(e *Explanation) []string {
	for _, check := range e.Syntax {
		if !check.Held {
			return nil
		}
	}
	var names []string
	for _, c := range e.Clients {
		for _, g := range c.Grants {
			if c.Matched && g.Named && g.Fits && !g.Raw {
				names = append(names, c.Name+"/"+g.Name)
			}
		}
	}
	return names
}
