package hsm_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

func softwareKey(t *testing.T, typ hsm.KeyType) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch typ {
	case hsm.P256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case hsm.P384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case hsm.P521:
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case hsm.RSA2048:
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case hsm.Ed25519:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// A key that was outside is stored so that it can't leave again, signs, and is
// imported for good. SoftHSM unwraps RSA and EC keys, so those don't cross into
// the module in the clear.
func TestImport(t *testing.T) {
	for typ, created := range map[hsm.KeyType]uint64{hsm.RSA2048: 1, hsm.P256: 1, hsm.P384: 1, hsm.P521: 1, hsm.Ed25519: 4} {
		t.Run(string(typ), func(t *testing.T) {
			soft, module := softhsm.New(t), faulty.Build(t)
			token := reopen(t, soft, throughModule(t, module), withCopies)
			outside := softwareKey(t, typ)
			key, err := token.Import(hsm.Spec{Label: "payments/20260101T000000Z"}, outside)
			if err != nil {
				t.Fatal(err)
			}
			if key.Type() != typ || !key.Imported() || key.Problem() != nil || !outside.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(key.Public()) {
				t.Errorf("%s, imported %v, %v", key.Type(), key.Imported(), key.Problem())
			}
			if c := key.Custody(); c.Check() != nil || c.NeverExtractable != hsm.False || c.Local != hsm.False {
				t.Errorf("%+v", c)
			}
			if calls := module.Calls(t, "C_CreateObject"); calls != created {
				t.Errorf("C_CreateObject was called %d times, want %d", calls, created)
			}
			if _, err := token.Import(hsm.Spec{Label: "payments/20260101T000000Z"}, outside); !errors.Is(err, hsm.ErrKeyExists) {
				t.Errorf("again: %v", err)
			}
			left := 0
			raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) { left = count(t, ctx, session) })
			if left != 3 { // both halves, and the copy that signs
				t.Errorf("%d objects are left, want both halves and a copy", left)
			}
		})
	}
}

// A key that isn't held or doesn't sign as it must is destroyed again.
func TestFailedImportLeavesNothing(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
	if _, err := token.Import(hsm.Spec{Label: "key"}, softwareKey(t, hsm.P256)); !errors.Is(err, hsm.ErrSignature) {
		t.Errorf("a bad signature: %v", err)
	}
	module.Clear(t, "C_Sign")
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err == nil {
		if _, err := token.Import(hsm.Spec{Label: "key"}, small); !errors.Is(err, hsm.ErrUnusable) {
			t.Errorf("a small key: %v", err)
		}
	}
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		if left := count(t, ctx, session); left != 0 {
			t.Errorf("%d objects are left", left)
		}
	})
	if _, err := token.Import(hsm.Spec{Label: "key"}, softwareKey(t, hsm.P256)); err != nil {
		t.Error(err)
	}
}

// A token that refuses the public point as an OCTET STRING gets it raw, as
// opencryptoki wants that of Edwards curves.
func TestImportWithRawPoint(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.Set(t, "C_CreateObject", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_FUNCTION_FAILED, Limit: 3}) // with each omission
	outside := softwareKey(t, hsm.P256)
	key, err := token.Import(hsm.Spec{Label: "key"}, outside)
	if err != nil || !key.Imported() || !outside.Public().(*ecdsa.PublicKey).Equal(key.Public()) {
		t.Errorf("%v, %v", key, err)
	}
	if fired := module.Fired(t, "C_CreateObject"); fired != 3 {
		t.Errorf("refused %d times", fired)
	}
}

// A token without a way to unwrap gets the key by C_CreateObject.
func TestImportWithoutWrapping(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	module.Set(t, "C_GetMechanismList", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_FUNCTION_NOT_SUPPORTED})
	token := reopen(t, soft, throughModule(t, module))
	if key, err := token.Import(hsm.Spec{Label: "key"}, softwareKey(t, hsm.Ed25519)); err != nil || !key.Imported() {
		t.Errorf("%v, %v", key, err)
	}
}

// A key that was just made or imported may be unknown for a moment too. It must
// not be given up then, since a search that finds nothing can't destroy it.
func TestNewKeyThatIsNotKnownYet(t *testing.T) {
	for provider, known := range map[string]faulty.Provider{"CloudHSM": faulty.CloudHSM, "another": faulty.NShield} {
		for name, put := range map[string]func(*hsm.Token, hsm.Spec) (*hsm.Key, error){
			"generated": (*hsm.Token).Generate,
			"imported": func(token *hsm.Token, spec hsm.Spec) (*hsm.Key, error) {
				return token.Import(spec, softwareKey(t, hsm.P256))
			},
		} {
			t.Run(provider+", "+name, func(t *testing.T) {
				token, module := imitated(t, known, nil)
				if name == "imported" { // without a transport key, which would be read first
					module.Set(t, "C_GenerateKeyPair", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_MECHANISM_INVALID})
				}
				module.Set(t, "C_GetAttributeValue", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_OBJECT_HANDLE_INVALID, Limit: 4})
				key, err := put(token, hsm.Spec{Label: "new/20260101T000000Z", Type: hsm.P256, Alg: "ES256"})
				if (err == nil) != (provider == "CloudHSM") || err == nil && key.Problem() != nil {
					t.Errorf("%v, %v", key, err)
				}
			})
		}
	}
}
