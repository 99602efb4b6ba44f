package pool_test

import (
	"errors"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A key that failed its proof and that its worker could not destroy is
// destroyed by another process.
func TestFailedKeyIsDestroyedByAnotherWorker(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt, Limit: 1})
	m.Set(t, "C_DestroyObject", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR, Limit: 3})
	if _, err := p.Generate(within(t, time.Minute), hsm.Spec{Label: "key", Type: hsm.P256}); err == nil || errors.Is(err, hsm.ErrLeftover) {
		t.Errorf("a key that failed its proof and was destroyed: %v", err)
	}
	if keys := p.Inventory(); len(keys) != 0 {
		t.Errorf("%d keys are left, first %q", len(keys), keys[0].Label)
	}
	p.generate(hsm.P256) // and the pool goes on
}

// A key that no worker can destroy or mark is never used.
func TestFailedKeyIsNeverUsed(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	refusal := faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR}
	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt, Limit: 1})
	m.Set(t, "C_DestroyObject", refusal)
	m.Set(t, "C_SetAttributeValue", refusal)
	if _, err := p.Generate(within(t, time.Minute), hsm.Spec{Label: "key", Type: hsm.P256}); !errors.Is(err, hsm.ErrLeftover) {
		t.Errorf("a key that can't be destroyed: %v", err)
	}
	p.waitAll()
	if err := p.Refresh(within(t, time.Minute)); err != nil {
		t.Fatal(err)
	}
	keys := p.Inventory()
	if len(keys) != 1 || keys[0].Signs() || keys[0].Problem == "" {
		t.Errorf("the inventory has %+v, want one key that doesn't sign", keys)
	}
}
