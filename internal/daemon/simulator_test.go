package daemon

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/signer/policy"
)

// TestSimulatorIsTrue: the daemon signs what the simulator shows.
func TestSimulatorIsTrue(t *testing.T) {
	r := serveDaemon(t, grantOf("one", ", lifetime: {default: 30s, max: 60s}, claims: {allow: {scope: [read]}, set: {n: 1, o: {a: [x]}}}"))
	simulator, err := policytest.OpenSimulator(r.path)
	if err != nil {
		t.Fatal(err)
	}
	caller, err := simulator.Caller(policytest.Process{User: strconv.Itoa(os.Getuid()), Listener: filepath.Join(r.dir, "shared.sock")})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := simulator.Assert(caller, policy.Request{Claims: map[string]any{"scope": "read"}})
	if err != nil || answer.Refusal != nil {
		t.Fatal(err, answer.Refusal)
	}
	signed := r.assert(`{"claims":{"scope":"read"}}`).claims(t)
	if len(signed) != len(answer.Assertion.Claims) {
		t.Errorf("signed %v, shown %v", signed, answer.Assertion.Claims)
	}
	for name, shown := range answer.Assertion.Claims {
		if text, ok := shown.(string); ok && strings.HasPrefix(text, "<") {
			if signed[name] == nil {
				t.Errorf("%s was shown but is not signed", name)
			}
			continue
		}
		if got, want := (rawValue(signed[name])), (rawValue(shown)); got != want {
			t.Errorf("%s is %s, shown %s", name, got, want)
		}
	}
	shown := answer.Assertion.Claims
	if life := signed["exp"].(float64) - signed["iat"].(float64); shown["exp"] != "<now + 30s>" || shown["iat"] != "<now - 5s>" || life != 35 {
		t.Errorf("shown iat %v and exp %v, signed for %v s", shown["iat"], shown["exp"], life)
	}
}

// rawValue is the JSON of a value.
func rawValue(value any) string {
	text, err := json.Marshal(value)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
