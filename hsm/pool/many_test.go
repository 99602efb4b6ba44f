package pool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/assertd/assertd/test/softhsm"
)

// A worker of a token with 1,000 key pairs is ready within 2 s, and the whole
// inventory reaches the pool.
func TestStartWithManyKeys(t *testing.T) {
	const pairs = 1000
	token := softhsm.NewFilled(t, pairs, func(i int) string { return fmt.Sprint("key ", i) })
	c := config(tokenConfig(token))
	c.Probe = time.Hour
	began := time.Now()
	p := run(t, c)
	if err := p.WaitReady(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	took := time.Since(began)
	t.Logf("ready after %v", took)
	if limit := raceFactor * 2 * time.Second; took > limit {
		t.Errorf("ready after %v, want at most %v", took, limit)
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
