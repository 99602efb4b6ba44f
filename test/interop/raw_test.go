package interop

import (
	"fmt"
	"os"
	"testing"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/hsm"
)

// rawKeys are the key sets of a daemon that makes raw signatures, one of each
// type.
var rawKeys = []string{"ec", "rsa", "ed25519"}

// startRaw starts a daemon that makes raw signatures.
func startRaw(t *testing.T) *daemon {
	t.Helper()
	k := newToken(t)
	k.generate(t, newKey{Set: "ec", Type: hsm.P256}, newKey{Set: "rsa", Type: hsm.RSA2048}, newKey{Set: "ed25519", Type: hsm.Ed25519})
	return start(t, k, fmt.Sprintf(`
keys:
  ec: {alg: ES256, use: raw}
  rsa: {alg: RS256, use: raw, hashes: [SHA-256, SHA-384, SHA-512], paddings: [pkcs1v15, pss]}
  ed25519: {alg: EdDSA, use: raw}
clients:
  - name: operations
    match: {uid: %d}
    grants: [{name: ec, key: ec}, {name: rsa, key: rsa}, {name: ed25519, key: ed25519}]
`, os.Getuid()))
}

// signer returns the signer of a raw key set.
func (d *daemon) signer(t *testing.T, key string) *client.Signer {
	t.Helper()
	signer, err := d.Signer(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}
