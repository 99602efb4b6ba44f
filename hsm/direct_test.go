package hsm_test

import (
	"crypto"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
	"github.com/miekg/pkcs11"
)

// A signature costs the module one C_SignInit and one C_Sign.
func TestSignatureIsOneCall(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module), withCopies)
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		key := generate(t, token, string(typ), typ)
		lengths := module.Lengths()
		for _, options := range optionsOf(typ) {
			before := module.Calls(t, "C_Sign")
			signAndVerify(t, key, options)
			if n := module.Calls(t, "C_Sign") - before; n != 1 {
				t.Errorf("%s, %v: C_Sign was called %d times", typ, options, n)
			}
		}
		if n := module.Lengths() - lengths; n != 0 {
			t.Errorf("%s: the module was asked for the length of a signature %d times", typ, n)
		}
	}
}

// A module that finds the buffer too small is asked how large it must be.
func TestBufferTooSmall(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	key := generate(t, reopen(t, soft, throughModule(t, module)), "key", hsm.P256)
	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_BUFFER_TOO_SMALL, Limit: 1})
	signAndVerify(t, key, crypto.SHA256)
	if fired := module.Fired(t, "C_Sign"); fired != 1 {
		t.Errorf("the module refused the buffer %d times; want 1", fired)
	}
}
