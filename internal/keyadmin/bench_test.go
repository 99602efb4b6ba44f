package keyadmin_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/test/softhsm"
)

const day = 24 * time.Hour

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// bench is an Admin on a real token, at a clock that the test sets.
type bench struct {
	*keyadmin.Admin
	t     *testing.T
	soft  *softhsm.Token
	token *hsm.Token
	clock time.Time
}

func newBench(t *testing.T, sets ...keyadmin.KeySet) *bench {
	t.Helper()
	b := &bench{t: t, soft: softhsm.New(t), clock: start}
	var err error
	b.token, err = hsm.Open(hsm.Config{Module: b.soft.Module, Label: b.soft.Label, Sessions: 1}, hsm.NewPIN([]byte(b.soft.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.token.Close() })
	b.configure(sets...)
	return b
}

// configure starts over with other key sets.
func (b *bench) configure(sets ...keyadmin.KeySet) {
	b.Admin = keyadmin.New(b.token, sets, nil, func() time.Time { return b.clock })
}

func (b *bench) at(after time.Duration) { b.clock = start.Add(after) }

// payments rotates every 90 days.
func payments() keyadmin.KeySet {
	return keyadmin.KeySet{Type: hsm.P256, Set: keyset.Set{Name: "payments", Alg: "ES256", Rotation: keyset.Rotation{
		Every: 90 * day, PublishBefore: day, KeepAfter: day, AssertionLife: time.Minute,
	}}}
}

func (b *bench) generate(set string) keyadmin.Key {
	b.t.Helper()
	key, err := b.Generate(set, false)
	if err != nil {
		b.t.Fatal(err)
	}
	return key
}

func (b *bench) inventory() *keyadmin.Inventory {
	b.t.Helper()
	inv, err := b.Inventory()
	if err != nil {
		b.t.Fatal(err)
	}
	return inv
}

func (b *bench) find(name string) keyadmin.Key {
	b.t.Helper()
	key, err := b.inventory().Find(name)
	if err != nil {
		b.t.Fatal(err)
	}
	return key
}

var p256 = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}

// foreign makes a key as another tool would: P-256, or RSA of a size, with the
// attributes given in place of the sound ones.
func (b *bench) foreign(label string, id []byte, bits int, private map[uint]bool) {
	b.t.Helper()
	flags := map[uint]bool{
		pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false,
		pkcs11.CKA_SIGN: true, pkcs11.CKA_DECRYPT: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false,
		pkcs11.CKA_SIGN_RECOVER: false,
	}
	for attribute, value := range private {
		flags[attribute] = value
	}
	names := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id)}
	template := names[:2:2]
	for attribute, value := range flags {
		template = append(template, pkcs11.NewAttribute(attribute, value))
	}
	public := append(names[:2:2], pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true))
	mechanism := pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)
	if bits == 0 {
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
	} else {
		mechanism = pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)
		public = append(public, pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	}
	// The module is initialised and logged in already, by the token.
	ctx := pkcs11.New(b.soft.Module)
	defer ctx.Destroy()
	session, err := ctx.OpenSession(b.token.Info().Slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = ctx.CloseSession(session) }()
	if _, _, err := ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{mechanism}, public, template); err != nil {
		b.t.Fatal(err)
	}
}

// authority is a CA; it issues PEM.
type authority struct {
	key         *ecdsa.PrivateKey
	certificate *x509.Certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, certificate: &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"},
		NotBefore: start.Add(-365 * day), NotAfter: start.Add(3650 * day), IsCA: true, BasicConstraintsValid: true,
	}}
	a.certificate = a.parse(t, a.issue(t, a.certificate, key.Public()))
	return a
}

func (a *authority) parse(t *testing.T, text []byte) *x509.Certificate {
	t.Helper()
	block, _ := pem.Decode(text)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

func (a *authority) issue(t *testing.T, template *x509.Certificate, public crypto.PublicKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, public, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// certify issues a certificate for a key that is valid from start until a time
// after it, and appends the authority's own.
func (a *authority) certify(t *testing.T, public crypto.PublicKey, life time.Duration) []byte {
	t.Helper()
	leaf := a.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(int64(life.Abs())), Subject: pkix.Name{CommonName: "payments"},
		NotBefore: start.Add(-day), NotAfter: start.Add(life),
	}, public)
	return append(leaf, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.certificate.Raw})...)
}
