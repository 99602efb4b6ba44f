package hsm_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
	"github.com/miekg/pkcs11"
)

func TestGeneratedKeyIsHeldAsItMustBe(t *testing.T) {
	token, _ := open(t)
	want := hsm.Custody{
		Extractable: hsm.False, Sensitive: hsm.True, NeverExtractable: hsm.True, AlwaysSensitive: hsm.True,
		Private: hsm.True, Sign: hsm.True, Decrypt: hsm.False, Unwrap: hsm.False, Derive: hsm.False,
		SignRecover: hsm.False, AlwaysAuthenticate: hsm.False, Local: hsm.True,
	}
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		key := generate(t, token, string(typ), typ)
		if got := key.Custody(); got != want {
			t.Errorf("%s is held as %+v, want %+v", typ, got, want)
		}
		found, err := token.Find(hsm.Selector{Label: string(typ), ID: key.ID()})
		if err != nil || found.Problem() != nil || len(key.ID()) != 16 {
			t.Errorf("%s is found as %v with ID %x (%v)", typ, found, key.ID(), err)
		}
	}
	given, err := token.Generate(hsm.Spec{Label: "given", ID: []byte{1, 2}, Type: hsm.P256})
	if err != nil || !bytes.Equal(given.ID(), []byte{1, 2}) {
		t.Errorf("a key with a given ID: %v (%v)", given, err)
	}
}

func TestGenerateRefuses(t *testing.T) {
	token, _ := open(t)
	first := generate(t, token, "first", hsm.P256)
	for name, test := range map[string]struct {
		spec hsm.Spec
		kind error
		says string
	}{
		"no label":    {hsm.Spec{Type: hsm.P256}, nil, "give a label"},
		"no type":     {hsm.Spec{Label: "x"}, nil, "one of the types"},
		"RSA-1024":    {hsm.Spec{Label: "x", Type: "RSA-1024"}, nil, "one of the types"},
		"label taken": {hsm.Spec{Label: "first", Type: hsm.P256}, hsm.ErrKeyExists, `"first"`},
		"ID taken":    {hsm.Spec{Label: "x", ID: first.ID(), Type: hsm.P256}, hsm.ErrKeyExists, "ID"},
	} {
		key, err := token.Generate(test.spec)
		if key != nil || err == nil || test.kind != nil && !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v, %v", name, key, err)
		}
	}
	if err := first.Prove(t.Context(), ""); err != nil {
		t.Errorf("the first key after all this: %v", err)
	}
}

// A refused type of key is answered with those that the token makes.
func TestGenerateSaysWhatTheTokenMakes(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.Set(t, "C_GenerateKeyPair", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_MECHANISM_INVALID})
	_, err := token.Generate(hsm.Spec{Label: "key", Type: hsm.P256})
	if !errors.Is(err, hsm.ErrAlgorithm) || hsm.IsFatal(err) || !strings.Contains(err.Error(), "makes no P-256 keys; it makes RSA of 512 to 16384 bits, EC") {
		t.Errorf("%v", err)
	}
}

// A key pair that fails its first signature doesn't stay on the token.
func TestFailedGenerationLeavesNothing(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	for name, test := range map[string]struct {
		function string
		fault    faulty.Fault
		kind     error
	}{
		"bad signature": {"C_Sign", faulty.Fault{Action: faulty.Corrupt}, hsm.ErrSignature},
		"no mechanism":  {"C_SignInit", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_MECHANISM_INVALID}, nil},
	} {
		for _, typ := range []hsm.KeyType{hsm.P256, hsm.Ed25519} {
			module.Set(t, test.function, test.fault)
			key, err := token.Generate(hsm.Spec{Label: "key", Type: typ})
			module.Clear(t, test.function)
			if key != nil || err == nil || test.kind != nil && !errors.Is(err, test.kind) {
				t.Errorf("%s, %s: %v, %v", name, typ, key, err)
			}
			if keys, err := token.Keys(); err != nil || len(keys) != 0 {
				t.Errorf("%s, %s: %v is left (%v)", name, typ, keys, err)
			}
		}
	}
	generate(t, token, "key", hsm.P256) // its label is free again
}

// A token that refuses to destroy the failed key pair at first is asked again.
func TestFailedGenerationIsDestroyedInAnotherSession(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
	refusal := faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR, Limit: 1}
	module.Set(t, "C_DestroyObject", refusal)
	if _, err := token.Generate(hsm.Spec{Label: "key", Type: hsm.P256}); !errors.Is(err, hsm.ErrSignature) {
		t.Errorf("a bad signature: %v", err)
	}
	if keys, err := token.Keys(); err != nil || len(keys) != 0 || module.Fired(t, "C_DestroyObject") != 1 {
		t.Errorf("%v is left (%v)", keys, err)
	}
}

// A key that failed its proof and can't be destroyed is marked, so that nothing
// schedules it, and another process can destroy it later. One that can't be
// marked either is named.
func TestFailedKeyThatStaysIsMarked(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	const label = "dev/20260102T030405Z"
	id := []byte{0xab, 0xcd}
	refusal := faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR}
	for _, marks := range []bool{true, false} {
		module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Corrupt})
		module.Set(t, "C_DestroyObject", refusal)
		want := hsm.FailedLabel(label)
		if !marks {
			module.Set(t, "C_SetAttributeValue", refusal)
			want = label
		}
		_, err := token.Generate(hsm.Spec{Label: label, ID: id, Type: hsm.P256})
		var left *hsm.LeftoverError
		if !errors.As(err, &left) || left.Marked != marks || !errors.Is(err, hsm.ErrLeftover) || !errors.Is(err, hsm.ErrSignature) {
			t.Fatalf("marked %v: %v", marks, err)
		}
		if !strings.Contains(err.Error(), fmt.Sprintf("%q", want)) || !strings.Contains(err.Error(), "abcd") {
			t.Errorf("the key isn't named: %v", err)
		}
		if keys, err := token.Keys(); err != nil || len(keys) != 1 || keys[0].Label() != want {
			t.Errorf("marked %v: on the token %v (%v), want %q", marks, keys, err, want)
		}
		module.Clear(t, "C_DestroyObject")
		if err := token.Discard("other", id); err != nil {
			t.Fatal(err)
		}
		if keys, err := token.Keys(); err != nil || len(keys) != 1 {
			t.Errorf("discarding another label destroyed the key: %v (%v)", keys, err)
		}
		if err := token.Discard(label, id); err != nil {
			t.Fatal(err)
		}
		if keys, err := token.Keys(); err != nil || len(keys) != 0 {
			t.Errorf("%v is left (%v)", keys, err)
		}
	}
}

func TestCertificates(t *testing.T) {
	token, _ := open(t)
	key, other := generate(t, token, "key", hsm.P256), generate(t, token, "other", hsm.Ed25519)
	first, second := certify(t, key, 1), certify(t, key, 2)
	for _, certificate := range []*x509.Certificate{first, second} {
		if err := token.StoreCertificate(key, certificate); err != nil {
			t.Fatal(err)
		}
	}
	found, err := token.Certificates()
	if err != nil || len(found) != 1 || !found[0].Certificate.Equal(second) || !bytes.Equal(found[0].ID, key.ID()) {
		t.Errorf("found %v (%v), want only the second certificate", found, err)
	}
	if err := token.StoreCertificate(other, first); err == nil || !strings.Contains(err.Error(), "isn't for key") {
		t.Errorf("a certificate for another key: %v", err)
	}
	if err := token.Destroy(key); err != nil {
		t.Fatal(err)
	}
	if found, err := token.Certificates(); err != nil || len(found) != 0 {
		t.Errorf("%v is left of a destroyed key (%v)", found, err)
	}
}

// A public half can also come from a certificate.
func TestPublicHalfFromCertificate(t *testing.T) {
	token, soft := open(t)
	key := generate(t, token, "key", hsm.P256)
	if err := token.StoreCertificate(key, certify(t, key, 1)); err != nil {
		t.Fatal(err)
	}
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) { destroyPublic(t, ctx, session, key.ID()) })
	found, err := token.Find(hsm.Selector{Label: "key"})
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Prove(t.Context(), ""); err != nil {
		t.Errorf("a key whose public half is in a certificate: %v", err)
	}
}

// certify makes a certificate for the key, issued by another key.
func certify(t *testing.T, key *hsm.Key, serial int64) *x509.Certificate {
	t.Helper()
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "assertd test"},
		NotBefore: time.Now(), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), issuer)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}
