package hsm_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// The cost of a scan grows with the number of keys, not with its square: a
// token of 1,000 key pairs takes a few calls of the module for each pair.
func TestManyKeys(t *testing.T) {
	const pairs, callsPerPair = 1000, 9
	soft, module := softhsm.NewFilled(t, pairs, func(i int) string { return fmt.Sprint("key ", i) }), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	before := scanCalls(t, module)
	keys, err := token.Keys()
	if err != nil || len(keys) != pairs {
		t.Fatalf("listed %d keys (%v), want %d", len(keys), err, pairs)
	}
	if calls := scanCalls(t, module) - before; calls == 0 || calls > callsPerPair*pairs {
		t.Errorf("reading %d key pairs took %d calls, want at most %d", pairs, calls, callsPerPair*pairs)
	} else {
		t.Logf("%d calls", calls)
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

// The next looks read how each key is held and nothing else, and between them
// nothing asks for objects, however many keys there are.
func TestLooksAtManyKeysCostLittle(t *testing.T) {
	const pairs, callsPerPair = 200, 3
	soft, module := softhsm.NewFilled(t, pairs, func(i int) string { return fmt.Sprint("key ", i) }), faulty.Build(t)
	token := reopen(t, soft, withCopies, throughModule(t, module))
	keys, err := token.Keys()
	if err == nil {
		err = keys[0].Prove(t.Context(), "")
	}
	if err != nil {
		t.Fatal(err)
	}
	before := scanCalls(t, module)
	again, err := token.Keys()
	if calls := scanCalls(t, module) - before; err != nil || calls > callsPerPair*pairs {
		t.Errorf("another look took %d calls (%v), want at most %d", calls, err, callsPerPair*pairs)
	}
	for i, k := range again {
		if k.Label() != keys[i].Label() || k.Custody() != keys[i].Custody() || k.Fingerprint() != keys[i].Fingerprint() {
			t.Errorf("%s became %s", keys[i], k)
		}
	}
	before = scanCalls(t, module)
	for range 30 {
		if err := token.Refresh(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if calls := scanCalls(t, module) - before; calls > 0 {
		t.Errorf("half a minute of an idle worker took %d calls", calls)
	}
	if err := keys[0].Prove(t.Context(), ""); err != nil {
		t.Error(err)
	}
	if calls := scanCalls(t, module) - before; calls == 0 || calls > 4 {
		t.Errorf("the key was looked for with %d calls before it signed", calls)
	}
}

// scanCalls is how often the module was asked for objects or their attributes.
func scanCalls(t *testing.T, module *faulty.Module) (calls uint64) {
	t.Helper()
	for _, function := range []string{"C_FindObjectsInit", "C_FindObjects", "C_GetAttributeValue"} {
		calls += module.Calls(t, function)
	}
	return calls
}

// A search that never ends is cut off before it takes the machine's memory, and
// the process that hosts the module gives up on it.
func TestEndlessSearchIsCutOff(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.EndlessSearches()
	before := module.Calls(t, "C_FindObjects")
	if _, err := token.Keys(); !errors.Is(err, hsm.ErrModule) || !hsm.IsFatal(err) || !strings.Contains(err.Error(), "50000") {
		t.Errorf("%v", err)
	}
	if calls := module.Calls(t, "C_FindObjects") - before; calls > hsm.MaxKeys/50 {
		t.Errorf("it was cut off after %d calls", calls)
	}
}
