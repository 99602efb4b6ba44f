//go:build !race

package pool_test

import (
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/allocs"
	"github.com/assertd/assertd/test/softhsm"
)

// A signature of a worker, in the front.
func TestAllocations(t *testing.T) {
	c := config(tokenConfig(softhsm.New(t)))
	c.Workers = 1
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	allocs.AtMost(t, 8, func() {
		if _, err := p.Sign(t.Context(), "", k.Ref, digest, opts, nil); err != nil {
			t.Fatal(err)
		}
	})
}
