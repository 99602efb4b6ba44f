package signer

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"math/big"
	"testing"
)

// tableOf is the key's table.
func tableOf(t testing.TB, public *ecdsa.PublicKey) *p256Key {
	t.Helper()
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	k, err := newP256Key(point)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// keyOf is the key whose private half is d, so that the public one can be a small multiple of the generator: the sums
// then run into equal and opposite points.
func keyOf(t testing.TB, d *big.Int) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d.FillBytes(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func der(t testing.TB, r, s *big.Int) []byte {
	t.Helper()
	signature, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

// scalars lie at the ends of what is valid and beyond.
func scalars() []*big.Int {
	var all []*big.Int
	for _, near := range []*big.Int{new(big.Int), p256Order, elliptic.P256().Params().P, new(big.Int).Rsh(p256Order, 1)} {
		for delta := int64(-2); delta <= 2; delta++ {
			all = append(all, new(big.Int).Add(near, big.NewInt(delta)))
		}
	}
	return all
}

func TestP256AtTheEndsOfItsRange(t *testing.T) {
	last := new(big.Int).Sub(p256Order, big.NewInt(1))
	for _, d := range []*big.Int{big.NewInt(1), big.NewInt(2), big.NewInt(255), big.NewInt(256), last} {
		key := keyOf(t, d)
		k := tableOf(t, &key.PublicKey)
		for _, digest := range [][]byte{make([]byte, 32), bytes.Repeat([]byte{0xff}, 32), p256Order.Bytes()} {
			for _, r := range scalars() {
				for _, s := range scalars() {
					signature := der(t, r, s)
					if got, want := k.accepts(digest, signature), ecdsa.VerifyASN1(&key.PublicKey, digest, signature); got != want {
						t.Errorf("private key %v, r %x, s %x: accepted %t, crypto/ecdsa says %t", d, r, s, got, want)
					}
				}
			}
			signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
			if err != nil {
				t.Fatal(err)
			}
			if !k.accepts(digest, signature) {
				t.Errorf("private key %v: a valid signature over %x isn't accepted", d, digest)
			}
		}
	}
}

func TestP256AgreesWithTheStandardLibrary(t *testing.T) {
	for range 20 {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		digest := sha256.Sum256([]byte(rand.Text()))
		signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
		if err != nil {
			t.Fatal(err)
		}
		k := tableOf(t, &key.PublicKey)
		if !k.accepts(digest[:], signature) {
			t.Errorf("a valid signature isn't accepted: %x", signature)
		}
		for at := range signature {
			changed := bytes.Clone(signature)
			changed[at] ^= 1
			if k.accepts(digest[:], changed) {
				t.Errorf("accepted with byte %d changed: %x", at, changed)
			}
		}
		digest[0] ^= 1
		for _, wrong := range [][]byte{signature, append(signature, 0), nil} {
			if k.accepts(digest[:], wrong) {
				t.Errorf("accepted: %x", wrong)
			}
		}
	}
}

// RFC 6979, appendix A.2.5, message "sample" with SHA-256.
func TestP256KnownSignature(t *testing.T) {
	number := func(hex string) *big.Int {
		n, ok := new(big.Int).SetString(hex, 16)
		if !ok {
			t.Fatal(hex)
		}
		return n
	}
	key := keyOf(t, number("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"))
	digest := sha256.Sum256([]byte("sample"))
	signature := der(t, number("EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716"),
		number("F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"))
	if ks := new(p256Keys); !ks.accepts(&key.PublicKey, digest[:], signature) {
		t.Error("not accepted")
	}
}

func TestP256KeysOfOtherCurvesAndBadPoints(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	digest := make([]byte, 32)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		t.Fatal(err)
	}
	ks := new(p256Keys)
	if ks.accepts(&key.PublicKey, digest, signature) {
		t.Error("a P-384 signature was taken for a P-256 one")
	}
	if err := verify(ks, &key.PublicKey, digest, signature, nil); err != nil {
		t.Errorf("crypto/ecdsa's word doesn't count: %v", err)
	}
	if k := ks.get([65]byte{4, 1}); k != nil {
		t.Error("a point off the curve was taken")
	}
}

func TestP256KeysAreBounded(t *testing.T) {
	ks := new(p256Keys)
	for d := range int64(maxP256Keys + 2) {
		point, err := keyOf(t, big.NewInt(d+1)).PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if ks.get([65]byte(point)) == nil || len(ks.known) > maxP256Keys {
			t.Fatalf("%d tables after %d keys", len(ks.known), d+1)
		}
	}
}

func FuzzP256(f *testing.F) {
	key := keyOf(f, big.NewInt(4711))
	digest := sha256.Sum256([]byte("seed"))
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	if err != nil {
		f.Fatal(err)
	}
	k := tableOf(f, &key.PublicKey)
	f.Add(digest[:], signature)
	f.Add(make([]byte, 32), der(f, big.NewInt(1), big.NewInt(1)))
	f.Add(digest[:], []byte{0x30, 0x06, 0x02, 0x01, 0x00, 0x02, 0x01, 0x00})
	f.Fuzz(func(t *testing.T, digest, signature []byte) {
		if len(digest) != 32 {
			return // others don't come here
		}
		if got, want := k.accepts(digest, signature), ecdsa.VerifyASN1(&key.PublicKey, digest, signature); got != want {
			t.Errorf("accepted %t, crypto/ecdsa says %t", got, want)
		}
	})
}

func BenchmarkVerifyP256(b *testing.B) {
	key := keyOf(b, big.NewInt(4711))
	digest := make([]byte, 32)
	signature, err := ecdsa.SignASN1(rand.Reader, key, digest)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("table", func(b *testing.B) {
		for ks := new(p256Keys); b.Loop(); {
			if !ks.accepts(&key.PublicKey, digest, signature) {
				b.Fatal("not accepted")
			}
		}
	})
	b.Run("crypto-ecdsa", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&key.PublicKey, digest, signature) {
				b.Fatal("not accepted")
			}
		}
	})
}
