package pool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/assertd/assertd/test/softhsm"
)

// A worker of a token with 1,000 key pairs becomes ready, and the whole
// inventory reaches the pool.
func TestStartWithManyKeys(t *testing.T) {
	const pairs = 1000
	token := softhsm.NewFilled(t, pairs, func(i int) string { return fmt.Sprint("key ", i) })
	c := config(tokenConfig(token))
	c.Probe, c.StartTimeout = time.Hour, time.Minute
	p := run(t, c)
	if err := p.WaitReady(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	keys := p.Inventory()
	if len(keys) != pairs {
		t.Fatalf("the inventory has %d keys, want %d", len(keys), pairs)
	}
	digest, opts := digestOf(keys[pairs-1], "text")
	if _, err := p.sign(t.Context(), keys[pairs-1], digest, opts); err != nil {
		t.Error(err)
	}
}
