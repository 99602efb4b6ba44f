package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/assertd/assertd/hsm"
)

func TestNodeSDK(t *testing.T) {
	command := exec.CommandContext(t.Context(), nodeProgram(t), "--test", "node/sdk.test.mjs")
	command.Env = sdkEnvironment(t)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestNodeSDKFaults(t *testing.T) {
	command := exec.CommandContext(t.Context(), absolute(t, nodeProgram(t)), "--test", "test/faults.test.js", "test/token.test.js")
	command.Dir = filepath.Join(root, "sdk/node")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestNodeSDKTypes(t *testing.T) {
	command := exec.CommandContext(t.Context(), nodeProgram(t), "node/node_modules/typescript/bin/tsc", "--noEmit", "--strict",
		"--module", "nodenext", "--target", "es2022", "--lib", "es2023,dom", "--types", "node", "--typeRoots", "node/node_modules/@types",
		"--skipLibCheck", "node/sdk.test-types.mts")
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestNodeSDKExample(t *testing.T) {
	servers := startNode(t)
	k := newToken(t)
	k.generate(t, newKey{Set: "payments", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys: {payments: {alg: ES256, use: assertion}}
clients:
  - name: payments-api
    match: {uid: %d}
    grants: [{name: payments, key: payments, profile: private_key_jwt, client_id: payments, audiences: [%q]}]
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), servers.Plain))
	servers.serve(t, d.jwksURL, []metadata{privateKeyJWT("payments", "ES256", d.jwksURL)}, nil)
	run := func(grant string) (output string, code int) {
		command := exec.CommandContext(t.Context(), nodeProgram(t), nodeExample(t, "openid-client.js"), servers.Plain, "payments", grant)
		command.Env = append(environment(), "ASSERTD_SOCKET="+d.socket)
		out, _ := command.CombinedOutput() // callers check the exit code
		return string(out), command.ProcessState.ExitCode()
	}
	if out, code := run("payments"); code != 0 || !regexp.MustCompile(`^got a bearer token for [0-9]+ s\n$`).MatchString(out) {
		t.Errorf("exit code %d: %s", code, out)
	}
	if out, code := run("none"); code != 1 || !regexp.MustCompile(`^openid-client.js: The caller has no such grant: .*\n$`).MatchString(out) {
		t.Errorf("without a grant: exit code %d: %s", code, out)
	}
}

// nodeExample copies an example of sdk/node to where it finds its packages.
func nodeExample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "sdk/node/examples", name))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("node", "example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
