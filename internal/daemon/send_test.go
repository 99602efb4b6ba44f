package daemon

import (
	"slices"
	"testing"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/profile"
)

// TestSendIsInTheAPI keeps the API's words for how an assertion is sent the
// same as the profiles'.
func TestSendIsInTheAPI(t *testing.T) {
	known := []string{
		ipc.SendClientAssertion, ipc.SendGrant, ipc.SendTokenExchange, ipc.SendWebIdentity, ipc.SendBearer,
		ipc.SendClientSecret, ipc.SendDPoP, ipc.SendRequestParameter, ipc.SendCustom,
	}
	for _, p := range profile.All() {
		if !slices.Contains(known, string(p.Send)) {
			t.Errorf("profile %s is sent as %q, which the API does not know", p.Name, p.Send)
		}
	}
}
