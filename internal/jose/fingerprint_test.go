package jose_test

import (
	"crypto/ed25519"
	"encoding/hex"
	"testing"

	"github.com/assertd/assertd/internal/jose"
)

// The digest is that of openssl pkey -pubin -outform DER | sha256sum.
func TestFingerprint(t *testing.T) {
	public := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize)).Public()
	got, err := jose.Fingerprint(public)
	if want := "339e2ff917630507b6a423b5ce084e285d1fa65d93b3e27a6195d3bbebc9ae23"; err != nil || hex.EncodeToString(got[:]) != want {
		t.Errorf("%x, %v, want %s", got, err, want)
	}
	if got, err := jose.Fingerprint(nil); err == nil || got != [32]byte{} {
		t.Errorf("no key has the fingerprint %x", got)
	}
}
