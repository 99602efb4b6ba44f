package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// accounts is a machine with one user and one group.
type accounts struct{}

func (accounts) User(name string) (uint32, error)  { return account(name) }
func (accounts) Group(name string) (uint32, error) { return account(name) }

func account(name string) (uint32, error) {
	switch name {
	case "root":
		return 0, nil
	case "payments":
		return 1001, nil
	}
	return 0, ErrUnknownAccount
}

// TestBad compares the errors about each file in testdata/bad with the text
// next to it. go test ./internal/config -update writes the texts; read them.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 15 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(file), data, WithAccounts(accounts{}))
			if !errors.Is(err, strictyaml.ErrInvalid) {
				t.Fatalf("error %v, want strictyaml.ErrInvalid", err)
			}
			if strings.Contains(err.Error(), "4711") {
				t.Error("the message shows the PIN")
			}
			same(t, strings.TrimSuffix(file, ".yaml")+".txt", []byte(err.Error()+"\n"))
		})
	}
}

// TestEveryProblemHasItsPlace checks that an Error's fields match its text, in
// file order.
func TestEveryProblemHasItsPlace(t *testing.T) {
	_, err := Parse("c.yaml", []byte("hsm: {module: m}\nbogus: 1\nlog: {level: loud}\n"), WithAccounts(accounts{}))
	var invalid *strictyaml.Error
	if !errors.As(err, &invalid) {
		t.Fatalf("%T: %v", err, err)
	}
	var got []string
	for _, p := range invalid.Problems {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Path))
	}
	want := []string{"1:1 audit.file", "1:6 hsm.token", "1:15 hsm.module", "2:1 bogus", "3:14 log.level"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func mustParse(t testing.TB, text string) *Config {
	t.Helper()
	c, err := Parse("test.yaml", []byte(text), WithAccounts(accounts{}))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const whole = `hsm: {module: /m, token: {label: t}, pin: {file: /p}}
keys:
  payments:
    alg: ES256
    use: assertion
    rotation: {every: 90d, publish_before: 48h, keep_after: 1d12h, revoke: [NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs]}
    rate: [{limit: 200, per: 1s}]
  mtls: {alg: PS384, use: raw}
  ssh: {alg: Ed25519, use: raw}
clients:
  - name: api
    match: {user: payments, group: root, unit: api.service}
    grants:
      - name: bank
        key: payments
        profile: private_key_jwt
        client_id: c1
        audiences: [https://as.example]
        lifetime: {max: 45s}
        not_before: none
        claims:
          allow: {scope: [a, b], level: [1, 2.50, true], tags: {words: [x]}, note: any, exact: {values: [p q]},
                  kinds: {each_of: [x, y, z], max_items: 2}, lists: {each_of: [1]}}
          set: {nested: {list: [1, {deep: "yes"}]}}
          require: [scope]
          log: [level]
        rate: [{limit: 50, per: 1s, burst: 100}, {limit: 1000, per: 1d}]
      - {name: long, key: payments, profile: private_key_jwt, client_id: c1, audiences: [https://b.example], lifetime: {default: 60s, max: 120s}, not_before: {leeway: 30s}}
      - {name: tls, key: mtls}
      - {name: ssh, key: ssh}
  - name: boxed
    grants: [{name: tls, key: mtls, hashes: [SHA-384]}]
listen:
  - {socket: /run/assertd.sock}
  - {socket: /run/boxed.sock, client: boxed}
audit: {file: /a}
`

func TestPolicyClients(t *testing.T) {
	uid, gid := uint32(1001), uint32(0)
	want := []policy.Client{
		{Name: "api", InFlight: 64, Match: policy.Match{UID: &uid, GID: &gid, Unit: "api.service"}, Grants: []policy.Rule{
			{
				Name: "bank", Key: "payments", Profile: "private_key_jwt", ClientID: "c1", Audiences: []string{"https://as.example"},
				DefaultLifetime: 45 * time.Second, MaxLifetime: 45 * time.Second, BackDate: 5 * time.Second,
				Allow: map[string]policy.ClaimRule{
					"scope": {Words: true, Values: []any{"a", "b"}},
					"level": {Values: []any{json.Number("1"), json.Number("2.50"), true}},
					"tags":  {Words: true, Values: []any{"x"}},
					"note":  {Any: true},
					"exact": {Values: []any{"p q"}},
					"kinds": {EachOf: true, MaxItems: 2, Values: []any{"x", "y", "z"}},
					"lists": {EachOf: true, Values: []any{json.Number("1")}},
				},
				Force:   map[string]any{"nested": map[string]any{"list": []any{json.Number("1"), map[string]any{"deep": "yes"}}}},
				Require: []string{"scope"}, Loggable: []string{"level"},
				Rates: []rate.Window{{Limit: 50, Per: time.Second, Burst: 100}, {Limit: 1000, Per: 24 * time.Hour}},
			},
			{
				Name: "long", Key: "payments", Profile: "private_key_jwt", ClientID: "c1", Audiences: []string{"https://b.example"},
				DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute, BackDate: 30 * time.Second, NotBefore: true,
			},
			{Name: "tls", Key: "mtls", Raw: &policy.RawRule{Hashes: []string{"SHA-384"}, Paddings: []string{"pss"}}},
			{Name: "ssh", Key: "ssh", Raw: &policy.RawRule{Hashes: []string{"none"}}},
		}},
		{Name: "boxed", InFlight: 64, Match: policy.Match{Listener: "/run/boxed.sock"}, Grants: []policy.Rule{
			{Name: "tls", Key: "mtls", Raw: &policy.RawRule{Hashes: []string{"SHA-384"}, Paddings: []string{"pss"}}},
		}},
	}
	got := mustParse(t, whole).PolicyClients()
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("client %d\ngot  %+v\nwant %+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d clients, want %d", len(got), len(want))
	}
}

func TestRotation(t *testing.T) {
	c := mustParse(t, whole)
	want := keyset.Rotation{
		Every: 90 * 24 * time.Hour, PublishBefore: 48 * time.Hour, KeepAfter: 36 * time.Hour,
		AssertionLife: 3 * time.Minute, // the longest grant of 120 s and a minute of skew
		Revoke:        []string{"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"},
	}
	if got := c.Rotation("payments"); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := c.KeyRates("payments"); !reflect.DeepEqual(got, []rate.Window{{Limit: 200, Per: time.Second}}) {
		t.Errorf("rates %+v", got)
	}
}

func TestAdopted(t *testing.T) {
	c := mustParse(t, `hsm: {module: /m, token: {label: t}, pin: {file: /p}}
keys:
  old: {alg: ES256, use: raw, label: legacy, created: 2026-01-31T13:00:00+01:00}
  unknown: {alg: ES256, use: raw, label: older}
audit: {required: false}
`)
	if got, want := c.Keys["old"].Adopted(), time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC); !got.Equal(want) || got.Location() != time.UTC {
		t.Errorf("old was made at %v, want %v", got, want)
	}
	if got := c.Keys["unknown"].Adopted(); !got.IsZero() {
		t.Errorf("unknown was made at %v, want no answer", got)
	}
}

func TestTokensInherit(t *testing.T) {
	h := mustParse(t, `hsm:
  module: /m
  pin: {file: /p}
  environment: {A: "1", B: "1"}
  custody: {accept_unknown: [CKA_SIGN_RECOVER]}
  tokens:
    - {name: a, label: x}
    - {name: b, serial: "7", module: /n, pin: {prompt: true}, environment: {B: "2"}, read_in_new_process: true, custody: {accept_unknown: [CKA_LOCAL]}}
audit: {required: false}
`).HSM
	want := []NamedToken{
		{Name: "a", Label: "x", Module: "/m", PIN: &PIN{File: "/p"}, Environment: map[string]string{"A": "1", "B": "1"}, Custody: &Custody{AcceptUnknown: []string{"CKA_SIGN_RECOVER"}}},
		{Name: "b", Serial: "7", Module: "/n", PIN: &PIN{Prompt: true}, Environment: map[string]string{"A": "1", "B": "2"}, ReadInNewProcess: true, Custody: &Custody{AcceptUnknown: []string{"CKA_LOCAL"}}},
	}
	if got := h.All(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	h.ReadInNewProcess = true
	for _, token := range h.All() {
		if !token.ReadInNewProcess {
			t.Errorf("token %s doesn't inherit read_in_new_process", token.Name)
		}
	}
}

// A token that needs no login has one word instead of a source, for all tokens
// or for one.
func TestPINNone(t *testing.T) {
	const format = "hsm: {module: /m, pin: %s, tokens: [{name: a, label: a}, {name: b, label: b, pin: %s}]}\naudit: {required: false}\n"
	for _, none := range []string{"none", `"none"`, "{none: true}"} {
		text := fmt.Sprintf(format, "{file: /p}", none)
		if all := mustParse(t, text).HSM.All(); all[0].PIN.None || !all[1].PIN.None || all[1].PIN.File != "" {
			t.Errorf("%s for one token: %+v, %+v", none, all[0].PIN, all[1].PIN)
		}
		if problems := schemaProblems(t, []byte(text)); len(problems) > 0 {
			t.Errorf("the schema refuses %s: %v", none, problems)
		}
		if all := mustParse(t, fmt.Sprintf(format, none, "{file: /p}")).HSM.All(); !all[0].PIN.None || all[1].PIN.None {
			t.Errorf("%s for all tokens: %+v, %+v", none, all[0].PIN, all[1].PIN)
		}
	}
	for _, other := range []string{"None", "no", "1234"} {
		if _, err := Parse("test.yaml", fmt.Appendf(nil, format, "{file: /p}", other)); err == nil || !strings.Contains(err.Error(), "don't write the PIN here") {
			t.Errorf("pin: %s: %v", other, err)
		}
	}
}

func TestAt(t *testing.T) {
	c := mustParse(t, whole)
	file, err := strictyaml.Parse("test.yaml", []byte(whole), FileRules(""))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                                   "test.yaml:1:1",
		"hsm.pin.file":                       "test.yaml:1:50",
		"keys.payments.alg":                  "test.yaml:4:10",
		"clients[0].grants[0].audiences[0]":  "test.yaml:18:21",
		"clients[0].grants[0].rate[1].limit": "test.yaml:27:58",
		"clients[0].grants[9]":               "test.yaml:14:7", // the nearest one around it
		"verify":                             "test.yaml:1:1",
	} {
		if got := file.At(path); got != want {
			t.Errorf("At(%q) = %s, want %s", path, got, want)
		}
	}
	for _, section := range []string{"", "hsm", "keys", "clients", "listen", "verify"} {
		if got, want := c.At(section), file.At(section); got != want {
			t.Errorf("the configuration has %s at %s, the file at %s", section, got, want)
		}
	}
}

// TestManyClients: a file near the size limit parses in reasonable time.
func TestManyClients(t *testing.T) {
	var b strings.Builder
	b.WriteString("hsm: {module: /m, token: {label: t}, pin: {file: /p}}\nkeys: {k: {alg: ES256, use: assertion}}\nlisten: [{socket: /s}]\naudit: {required: false}\nclients:\n")
	for i := range 10_000 {
		fmt.Fprintf(&b, `  - name: client-%d
    match: {uid: %d, unit: client-%d.service}
    grants:
      - name: bank
        key: k
        profile: private_key_jwt
        client_id: c%d
        audiences: [https://as.example]
        claims: {allow: {scope: [read, write]}}
        rate: [{limit: 50, per: 1s, burst: 100}, {limit: 100000, per: 24h}]
`, i, i, i, i)
	}
	start := time.Now()
	if c := mustParse(t, b.String()); len(c.PolicyClients()) != 10_000 {
		t.Errorf("%d clients", len(c.PolicyClients()))
	}
	t.Logf("%d bytes in %v", b.Len(), time.Since(start))
}

// The limit on keys is for one mapping, so it leaves room for a list of many.
func TestManyClientsOnOneLineEach(t *testing.T) {
	const clients = 2_000
	var b strings.Builder
	b.WriteString("hsm: {module: /m, token: {label: t}, pin: {file: /p}}\nkeys: {k: {alg: ES256, use: assertion}}\nlisten: [{socket: /s}]\naudit: {required: false}\nclients:\n")
	for i := range clients {
		fmt.Fprintf(&b, "  - {name: c%d, match: {uid: %d}, grants: [{name: bank, key: k, profile: private_key_jwt, client_id: c, audiences: [https://as.example]}]}\n", i, i)
	}
	if c := mustParse(t, b.String()); len(c.PolicyClients()) != clients {
		t.Errorf("%d clients", len(c.PolicyClients()))
	}
}

// TestHostileFiles checks the limits that keep a file from costing more than
// its size: depth, keys in one mapping, bytes.
func TestHostileFiles(t *testing.T) {
	many := func(n int, line func(i int) string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(line(i))
		}
		return b.String()
	}
	for name, text := range map[string]string{
		"brackets":   strings.Repeat("[", 200_000),
		"braces":     strings.Repeat("{a: ", 100_000),
		"dashes":     strings.Repeat("- ", 100_000) + "a",
		"indents":    many(1000, func(i int) string { return strings.Repeat(" ", i) + "a:\n" }),
		"block keys": many(20_000, func(i int) string { return fmt.Sprintf("k%d: 1\n", i) }),
		"flow keys":  "{" + many(20_000, func(i int) string { return fmt.Sprintf("k%d: 1, ", i) }) + "}",
		"inner keys": "keys:\n" + many(20_000, func(i int) string { return fmt.Sprintf("  k%d: {a: 1}\n", i) }),
		"size":       strings.Repeat("#", MaxSize+1),
		"problems":   "hsm: {module: /m}\nclients:\n" + many(10_000, func(int) string { return "  - {nmae: x, bogus: 1}\n" }),
	} {
		t.Run(name, func(t *testing.T) {
			before := processorTime(t)
			_, err := Parse("hostile.yaml", []byte(text), WithAccounts(accounts{}))
			if !errors.Is(err, strictyaml.ErrInvalid) {
				t.Errorf("error %v", err)
			}
			if len(err.Error()) > 64<<10 {
				t.Errorf("a message of %d bytes", len(err.Error()))
			}
			took := processorTime(t) - before
			if took > time.Minute {
				t.Errorf("took %v", took)
			}
		})
	}
}

// processorTime is what this process has used so far. Unlike the clock it
// doesn't count the time that other processes take from it.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func TestStandIns(t *testing.T) {
	s := StandIns()
	a, errA := s.User("no-such-user-a")
	b, errB := s.User("no-such-user-b")
	again, _ := s.User("no-such-user-a")
	root, _ := s.User("root")
	if errA != nil || errB != nil || a == b || a != again || root != 0 {
		t.Errorf("a %d %v, b %d %v, a again %d, root %d", a, errA, b, errB, again, root)
	}
	if _, err := SystemAccounts().Group("no-such-group-a"); !errors.Is(err, ErrUnknownAccount) {
		t.Errorf("error %v", err)
	}
	if g, err := SystemAccounts().Group("root"); err != nil || g != 0 {
		t.Errorf("group root is %d, %v", g, err)
	}
}
