//go:build !race

package hsm_test

import (
	"crypto"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/allocs"
)

// A signature with a session copy.
func TestAllocations(t *testing.T) {
	token, _ := open(t, withCopies)
	key := generate(t, token, "key", hsm.P256)
	digest := make([]byte, 32)
	allocs.AtMost(t, 15, func() {
		if _, err := key.Sign(nil, digest, crypto.SHA256); err != nil {
			t.Fatal(err)
		}
	})
}
