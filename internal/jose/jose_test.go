package jose_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"slices"
	"testing"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
)

// signers hold a fresh private key of each kind.
func signers(t *testing.T) map[jose.Kind]crypto.Signer {
	t.Helper()
	keys := make(map[jose.Kind]crypto.Signer)
	for _, kind := range []jose.Kind{jose.P256, jose.P384, jose.P521} {
		key, err := ecdsa.GenerateKey(kind.Curve(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		keys[kind] = key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys[jose.RSA], keys[jose.Ed25519] = rsaKey, edKey
	for _, kind := range []jose.Kind{jose.MLDSA44, jose.MLDSA65, jose.MLDSA87} {
		parameters, _ := kind.Parameters()
		key, err := mldsa.GenerateKey(parameters)
		if err != nil {
			t.Fatal(err)
		}
		keys[kind] = key
	}
	return keys
}

func TestEveryAlgorithmSignsAndVerifies(t *testing.T) {
	keys := signers(t)
	for _, name := range jose.Names() {
		t.Run(name, func(t *testing.T) {
			a, err := jose.Lookup(name)
			if err != nil {
				t.Fatal(err)
			}
			key := keys[a.Kind]
			if !a.Fits(key.Public()) || !slices.Contains(jose.NamesFor(jose.KindOf(key.Public())), name) {
				t.Fatalf("does not fit its own kind of key, %v", a.Kind)
			}
			digest := a.Digest([]byte("message"))
			signature, err := key.Sign(rand.Reader, digest, a.Options)
			if err != nil {
				t.Fatal(err)
			}
			if err := jose.Verify(key.Public(), digest, a.Options, signature); err != nil {
				t.Errorf("good signature: %v", err)
			}
			signature[len(signature)-1] ^= 1
			if err := jose.Verify(key.Public(), digest, a.Options, signature); !errors.Is(err, jose.ErrSignature) {
				t.Errorf("changed signature: %v", err)
			}
		})
	}
}

// crypto/ed25519 panics on a public key of the wrong length, crypto/rsa and
// crypto/ecdsa on nil. None of that may reach a daemon.
func TestVerifyNeverPanics(t *testing.T) {
	digest := make([]byte, 32)
	for _, public := range []crypto.PublicKey{
		nil, "key", ed25519.PublicKey(nil), ed25519.PublicKey(make([]byte, 31)), ed25519.PublicKey(make([]byte, 33)),
		(*ecdsa.PublicKey)(nil), (*rsa.PublicKey)(nil), (*mldsa.PublicKey)(nil), &ecdsa.PublicKey{}, &ecdsa.PublicKey{Curve: elliptic.P224()},
	} {
		for _, opts := range []crypto.SignerOpts{nil, crypto.Hash(0), crypto.SHA256, jose.PSS(crypto.SHA256), jose.PSS(0), crypto.MD5} {
			for _, length := range []int{0, 1, 63, 64, 65, 256} {
				if err := jose.Verify(public, digest, opts, make([]byte, length)); !errors.Is(err, jose.ErrSignature) {
					t.Errorf("%T with %v and %d bytes: %v", public, opts, length, err)
				}
			}
		}
	}
}

func TestECDSASignatureIsPadded(t *testing.T) {
	a, err := jose.Lookup("ES256")
	if err != nil {
		t.Fatal(err)
	}
	short := []byte{0x30, 6, 2, 1, 1, 2, 1, 2} // r = 1, s = 2
	signature, err := a.Signature(short)
	if err != nil || len(signature) != 64 || signature[31] != 1 || signature[63] != 2 {
		t.Errorf("%x, %v", signature, err)
	}
	for _, bad := range [][]byte{nil, {0x30, 0}, {0x30, 6, 2, 1, 0, 2, 1, 2}, append(short, 0)} {
		if _, err := a.Signature(bad); !errors.Is(err, jose.ErrSignature) {
			t.Errorf("%x: %v", bad, err)
		}
	}
}
