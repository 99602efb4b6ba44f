package e2e

import (
	"strings"
	"testing"
)

func TestCheckWarnsOfAlgorithmNames(t *testing.T) {
	d := startDev(t)
	if out := d.must(t, "assertd", "check", "--config", d.config); strings.Contains(out, "Ed25519 (RFC 9864)") {
		t.Errorf("a warning without a cause:\n%s", out)
	}
	d.reconfigure(t, "  dev-raw: {", "  new: {alg: Ed25519, use: assertion}\n  dev-raw: {", "example", "new")
	d.reconfigure(t, "      - {name: raw, ", `      - {name: new-name, key: new, profile: private_key_jwt, client_id: c, audiences: ["https://new.example"]}
      - {name: raw, `, "new-name")
	if out := d.must(t, "assertd", "check", "--config", d.config); !strings.Contains(out, "grant new-name: go-jose 4.1, golang-jwt 5 and go-oidc 3.21 refuse the name Ed25519") {
		t.Errorf("no warning:\n%s", out)
	}
}
