package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
)

// debianPython has Debian's Python modules, which another Python on the path
// may lack.
const debianPython = "/usr/bin/python3"

// sdkEnvironment starts a daemon and an authorization server, and returns the
// environment of the tests of sdk/python and sdk/node.
func sdkEnvironment(t *testing.T) []string {
	server := newAuthServer(t)
	k := newToken(t)
	k.generate(t, newKey{Set: "assertions", Type: hsm.P256}, newKey{Set: "stranger", Type: hsm.P256}, newKey{Set: "raw", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys:
  assertions: {alg: ES256, use: assertion}
  stranger: {alg: ES256, use: assertion}
  raw: {alg: ES256, use: raw}
clients:
  - name: sdk
    in_flight: 128
    match: {uid: %d}
    grants:
      - {name: bank, key: assertions, profile: private_key_jwt, client_id: bank, audiences: [%[2]q], claims: {allow: {scope: [read]}}}
      - {name: jwt-bearer, key: assertions, profile: jwt-bearer, issuer: issuer, subject: user, audiences: [%[2]q]}
      - {name: stranger, key: stranger, profile: private_key_jwt, client_id: bank, audiences: [%[2]q]}
      - {name: one-a-minute, key: assertions, profile: private_key_jwt, client_id: bank, audiences: [%[2]q], rate: [{limit: 1, per: 1m}]}
      - {name: raw, key: raw, hashes: [SHA-256]}
jwks: {listen: "127.0.0.1:0", per_key_set: true}
`, os.Getuid(), server.TokenURL()))
	own := strings.Replace(d.jwksURL, "jwks.json", "jwks/assertions.json", 1) // without the stranger's key
	server.Register("bank", "ES256", own)
	server.Trust("issuer", d.jwksURL)
	serve(t, server)
	return append(environment(), "ASSERTD_SOCKET="+d.socket, "TOKEN_URL="+server.TokenURL())
}

func TestPythonSDK(t *testing.T) {
	command := exec.CommandContext(t.Context(), debianPython, "-W", "error", "-m", "unittest", "discover", "--start-directory", "tests")
	command.Dir = filepath.Join(root, "sdk/python")
	command.Env = append(sdkEnvironment(t), "PYTHONPATH=src", "PYTHONDONTWRITEBYTECODE=1")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestPythonSDKTypes(t *testing.T) {
	command := exec.CommandContext(t.Context(), debianPython, "-m", "mypy", "--strict", "--cache-dir", t.TempDir(), "src/assertd")
	command.Dir = filepath.Join(root, "sdk/python")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
