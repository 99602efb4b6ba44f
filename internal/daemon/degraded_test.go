package daemon

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
)

// A caller learns which key sets of its own grants can't sign. Operators see
// all of them.
func TestCallersSeeTheirOwnDegradedKeySets(t *testing.T) {
	grant := `{name: %[1]s, key: %[1]s, profile: private_key_jwt, client_id: me, audiences: ["https://as.example"]}`
	k := softhsm.New(t)
	makeKey(t, k, "one")
	r := onTwoTokens(t, tokenFault{k.Module, k.Label, k.PINFile()}.entry("only", k))
	r.write(fmt.Sprintf(`keys: {one: {alg: ES256, use: assertion}, mine: {alg: ES256, use: assertion}, theirs: {alg: ES256, use: assertion}}
clients:
  - {name: me, match: {uid: %d}, grants: [%s, %s]}
  - {name: others, match: {uid: %d}, grants: [%s]}
listen: [{socket: DIR/shared.sock, mode: "0600"}]
`, os.Getuid(), fmt.Sprintf(grant, "one"), fmt.Sprintf(grant, "mine"), os.Getuid()+1, fmt.Sprintf(grant, "theirs")))
	r.run(r.load)
	names := func(answer ipc.ReadyResponse) (keys []string) {
		for _, d := range answer.Degraded {
			keys = append(keys, d.Key)
		}
		return keys
	}
	if answer := r.readiness(); !answer.Ready || !slices.Equal(names(answer), []string{"mine"}) {
		t.Errorf("a caller sees %+v", answer)
	}
	answer := r.status().Ready
	if !slices.Equal(names(answer), []string{"mine", "theirs"}) {
		t.Errorf("an operator sees %+v", answer)
	}
	if text := answer.Summary(); text != "ready; can't sign with key set mine, theirs" {
		t.Errorf("the status is %q", text)
	}
}
