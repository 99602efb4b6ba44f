package config

import (
	"strings"
	"testing"
)

// Hosts that decide the same have the same digest, whatever else their files
// say, and any difference in what they decide shows.
func TestPolicyDigest(t *testing.T) {
	const base = `hsm: {module: /usr/lib/softhsm/libsofthsm2.so, token: {label: prod}, pin: {file: /etc/assertd/pin}}
keys: {payments: {alg: ES256, use: assertion}}
clients:
  - name: payments-api
    match: {uid: 1000}
    grants: [{name: bank, key: payments, profile: private_key_jwt, client_id: id, audiences: [https://as.example]}]
listen: [{socket: /run/assertd/assertd.sock}]
audit: {file: /var/log/assertd/audit.jsonl}
`
	digest := func(old, new string) string {
		t.Helper()
		text := strings.Replace(base, old, new, 1)
		if old != "" && text == base {
			t.Fatalf("%q is not in the configuration", old)
		}
		c, err := Parse("assertd.yaml", []byte(text))
		if err != nil {
			t.Fatal(err)
		}
		return c.PolicyDigest()
	}
	want := digest("", "")
	if len(want) != 64 {
		t.Errorf("digest %q", want)
	}
	for name, change := range map[string][2]string{
		"a comment":     {"clients:\n", "clients: # who\n"},
		"a default":     {"uid: 1000}", "uid: 1000}\n    in_flight: 64"},
		"a host's path": {"/var/log/assertd", "/srv/log"},
		"a token":       {"label: prod", "label: other"},
	} {
		if digest(change[0], change[1]) != want {
			t.Errorf("%s changes the digest", name)
		}
	}
	for name, change := range map[string][2]string{
		"an audience":  {"https://as.example", "https://as2.example"},
		"a selector":   {"uid: 1000", "uid: 1001"},
		"a rate":       {"use: assertion", "use: assertion, rate: [{limit: 5, per: 1m}]"},
		"an algorithm": {"ES256", "ES384"},
		"a name":       {"payments-api", "payments"},
	} {
		if digest(change[0], change[1]) == want {
			t.Errorf("%s doesn't change the digest", name)
		}
	}
}
