package policytest

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

const example = "../../examples/policy/cases.yaml"

func TestExampleHolds(t *testing.T) {
	suite, err := Load(example)
	if err != nil {
		t.Fatal(err)
	}
	results := suite.Run()
	if len(results) < 15 {
		t.Errorf("%d cases", len(results))
	}
	for _, r := range results {
		if len(r.Diff) > 0 {
			t.Errorf("%s:%d: %s\n%s", example, r.Line, r.Name, strings.Join(r.Diff, "\n"))
		}
	}
}

// load writes cases next to the example's configuration and loads them.
func load(t *testing.T, cases string) (*Suite, error) {
	t.Helper()
	dir := t.TempDir()
	settings, err := os.ReadFile("../../examples/policy/assertd.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"assertd.yaml": string(settings), "cases.yaml": cases} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return Load(filepath.Join(dir, "cases.yaml"))
}

const (
	payments = "    caller: {user: payments, executable: /usr/bin/payments-api, unit: payments.service}\n"
	bankA    = "    request: {grant: bank-a, claims: {scope: accounts}}\n"
)

// TestDiff: a case checks everything that it can expect.
func TestMissingFilesHaveARemedy(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing.yaml")
	if _, err := Load(missing); err == nil || !strings.Contains(err.Error(), "start from examples/policy/cases.yaml") {
		t.Errorf("cases: %v", err)
	}
	if _, err := OpenSimulator(missing); err == nil || !strings.Contains(err.Error(), "start from examples/config/minimal.yaml") {
		t.Errorf("configuration: %v", err)
	}
}

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		name, request, expect string
		want                  []string
	}{
		{"as expected", bankA, "{allow: {}}", nil},
		{"client", bankA, "{allow: {client: x}}", []string{"- client: x", "+ client: payments-api"}},
		{"grant", bankA, "{allow: {grant: x}}", []string{"- grant: x", "+ grant: bank-a"}},
		{"key", bankA, "{allow: {key: x}}", []string{"- key: x", "+ key: payments"}},
		{"profile", bankA, "{allow: {profile: okta}}", []string{"- profile: okta", "+ profile: private_key_jwt"}},
		{"issuer", bankA, "{allow: {issuer: x}}", []string{"- issuer: x", "+ issuer: 9f3c0c"}},
		{"subject", bankA, "{allow: {subject: x}}", []string{"- subject: x", "+ subject: 9f3c0c"}},
		{"audience", bankA, "{allow: {audience: x}}", []string{"- audience: x", "+ audience: https://as.bank-a.example"}},
		{"lifetime", bankA, "{allow: {lifetime: 90s}}", []string{"- lifetime: 1m30s", "+ lifetime: 1m"}},
		{"claim differs", bankA, "{allow: {claims: {scope: payments, tier: gold}}}", []string{`- claims.scope: "payments"`, `+ claims.scope: "accounts"`}},
		{"claim missing", bankA, "{allow: {claims: {scope: accounts, tier: gold, x: 1}}}", []string{"- claims.x: 1"}},
		{"claim too many", bankA, "{allow: {claims: {tier: gold}}}", []string{`+ claims.scope: "accounts"`}},
		{"no claims", bankA, "{allow: {claims: {}}}", []string{`+ claims.scope: "accounts"`, `+ claims.tier: "gold"`}},
		{"allowed, not refused", "    request: {raw: {key: mtls, hash: SHA-256}}\n", "{refuse: key-not-allowed}", []string{
			"- refuse: key-not-allowed", "+ allow", "+   client: payments-api", "+   grant: tls", "+   key: mtls", "+   hash: SHA-256", "+   padding: pss",
		}},
		{"padding", "    request: {raw: {key: mtls, hash: SHA-256}}\n", "{allow: {padding: pkcs1v15}}", []string{"- padding: pkcs1v15", "+ padding: pss"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := diffOf(t, c.request, c.expect); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestDiffOfRefusals: the diff shows the actual refusal with its reason.
func TestDiffOfRefusals(t *testing.T) {
	for _, c := range []struct{ request, expect, first, second string }{
		{"    request: {grant: none}\n", "{allow: {}}", "- allow", "+ refuse: grant-not-found (You have no grant"},
		{"    request: {grant: none}\n", "{refuse: claim-required}", "- refuse: claim-required", "+ refuse: grant-not-found (You have no grant"},
		{"    request: {raw: {key: mtls, hash: none}}\n", "{allow: {}}", "- allow", "+ refuse: hash-not-allowed ("},
	} {
		got := diffOf(t, c.request, c.expect)
		if len(got) != 2 || got[0] != c.first || !strings.HasPrefix(got[1], c.second) {
			t.Errorf("%s: %q", c.expect, got)
		}
	}
}

func diffOf(t *testing.T, request, expect string) []string {
	t.Helper()
	suite, err := load(t, "config: assertd.yaml\ncases:\n  - name: it\n"+payments+request+"    expect: "+expect+"\n")
	if err != nil {
		t.Fatal(err)
	}
	result := suite.Run()[0]
	if result.Line != 3 || result.Name != "it" {
		t.Errorf("%+v", result)
	}
	return result.Diff
}

// TestMistakes: ambiguous cases are refused, at their place.
func TestMistakes(t *testing.T) {
	whole := func(rest string) string { return "config: assertd.yaml\ncases:\n  - name: it\n" + rest }
	for name, c := range map[string]struct{ cases, want string }{
		"empty":            {"", "cases.yaml:1:1: the file has no settings; start with config: and cases:"},
		"no cases":         {"config: assertd.yaml\ncases: []\n", "cases.yaml:2:8: there are no cases"},
		"no config":        {"cases: []\n", "config is missing"},
		"misspelt":         {whole(payments + "    expct: {allow: {}}\n"), `cases.yaml:5:5: unknown key "expct" in cases[0]; did you mean expect?`},
		"twice":            {whole(payments + payments + "    expect: {allow: {}}\n"), "cases.yaml:5:5: \"caller\" is set twice"},
		"nothing expected": {whole(payments + "    expect: {}\n"), "cases.yaml:5:13: a case expects exactly one thing"},
		"two things":       {whole(payments + "    expect: {allow: {}, refuse: claim-required}\n"), "cases.yaml:5:13: a case expects exactly one thing"},
		"no such code":     {whole(payments + "    expect: {refuse: audience-not-alowed}\n"), "did you mean audience-not-allowed"},
		"no user":          {whole("    caller: {group: staff}\n    expect: {allow: {}}\n"), "cases.yaml:4:13: no such process can exist: it has no user"},
		"user twice":       {whole("    caller: {user: root, uid: 0}\n    expect: {allow: {}}\n"), "user and uid are both set"},
		"group twice":      {whole("    caller: {uid: 0, group: root, gid: 0}\n    expect: {allow: {}}\n"), "group and gid are both set"},
		"no such listener": {whole("    caller: {uid: 0, listener: /x}\n    expect: {allow: {}}\n"), "no listener /x"},
		"registered claim": {whole(payments + "    expect: {allow: {claims: {aud: x}}}\n"), "cases.yaml:5:36: aud can't be listed under claims"},
		"raw and more":     {whole(payments + "    request: {grant: g, raw: {key: k, hash: none}}\n    expect: {allow: {}}\n"), "a request for a raw signature has no grant"},
		"raw with life":    {whole(payments + "    request: {raw: {key: k, hash: none}}\n    expect: {allow: {lifetime: 60s}}\n"), "a raw signature has no lifetime"},
		"hash of a JWT":    {whole(payments + "    expect: {allow: {hash: SHA-256}}\n"), "an assertion has no hash"},
		"same name":        {whole(payments + "    expect: {allow: {}}\n  - name: it\n" + payments + "    expect: {allow: {}}\n"), "the case on line 3 has the same name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, c.cases)
			var invalid *strictyaml.Error
			if !errors.As(err, &invalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestConfigurationIsCheckedToo(t *testing.T) {
	dir := t.TempDir()
	cases := filepath.Join(dir, "cases.yaml")
	if err := os.WriteFile(cases, []byte("config: "+filepath.Join(dir, "other.yaml")+"\ncases: []\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(cases); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other.yaml"), []byte("hsm: {}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(cases); !errors.Is(err, strictyaml.ErrInvalid) || !strings.Contains(err.Error(), "other.yaml:1:") {
		t.Errorf("%v", err)
	}
	if _, err := Load(filepath.Join(dir, "missing.yaml")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestEveryReasonCanBeExpected checks the list of codes in the struct tag.
func TestEveryReasonCanBeExpected(t *testing.T) {
	for _, reason := range policy.Reasons() {
		if _, err := load(t, "config: assertd.yaml\ncases:\n  - name: it\n"+payments+"    expect: {refuse: "+string(reason)+"}\n"); err != nil {
			t.Errorf("%s: %v", reason, err)
		}
	}
}

// TestGuideNamesEveryMember keeps docs/policy.md complete.
func TestGuideNamesEveryMember(t *testing.T) {
	guide, err := os.ReadFile("../../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(guide), "| member |")
	for _, typ := range []reflect.Type{
		reflect.TypeFor[Process](), reflect.TypeFor[request](), reflect.TypeFor[rawRequest](), reflect.TypeFor[KubernetesRequest](), reflect.TypeFor[expectation](), reflect.TypeFor[allowed](),
	} {
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if !strings.Contains(table, name) {
				t.Errorf("%s of %s is not in the guide", name, typ.Name())
			}
		}
	}
}
