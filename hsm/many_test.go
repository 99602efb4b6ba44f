package hsm_test

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
)

// A look at a token of 1,000 key pairs takes at most 0.3 s of processor time.
func TestManyKeys(t *testing.T) {
	const pairs = 1000
	soft := softhsm.NewFilled(t, pairs, func(i int) string { return fmt.Sprint("key ", i) })
	token := reopen(t, soft)
	if _, err := token.Keys(); err != nil { // SoftHSM reads its files at the first search
		t.Fatal(err)
	}
	before := processorTime(t)
	keys, err := token.Keys()
	took := processorTime(t) - before
	if err != nil || len(keys) != pairs {
		t.Fatalf("listed %d keys (%v), want %d", len(keys), err, pairs)
	}
	t.Logf("%v of processor time", took)
	if limit := raceFactor * 300 * time.Millisecond; took > limit {
		t.Errorf("reading %d key pairs took %v of processor time, want at most %v", pairs, took, limit)
	}
	for _, k := range keys {
		if k.Problem() != nil || k.Type() != hsm.P256 {
			t.Errorf("%s: %v", k, k.Problem())
		}
	}
	if err := keys[pairs-1].Prove(t.Context(), ""); err != nil {
		t.Error(err)
	}
}

// processorTime is what this process has used so far.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
