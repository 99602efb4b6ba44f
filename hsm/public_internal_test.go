package hsm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
)

// encodings are those of CKA_EC_POINT that modules use.
func encodings(t testing.TB, point []byte) map[string][]byte {
	t.Helper()
	octets, err := asn1.Marshal(point)
	if err != nil {
		t.Fatal(err)
	}
	bits, err := asn1.Marshal(asn1.BitString{Bytes: point, BitLength: 8 * len(point)})
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"bare": point, "OCTET STRING": octets, "BIT STRING": bits}
}

func TestDecodeECPoint(t *testing.T) {
	for _, typ := range []KeyType{P256, P384, P521} {
		key, err := ecdsa.GenerateKey(typ.curve(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		params, err := ecParams(typ)
		if err != nil {
			t.Fatal(err)
		}
		for name, encoded := range encodings(t, point) {
			if public, err := decodeECDSA(params[0], encoded); err != nil || !key.PublicKey.Equal(public) {
				t.Errorf("%s as %s: %v, %v", typ, name, public, err)
			}
			if public, err := decodeECDSA(params[0], encoded[:len(encoded)-1]); !errors.Is(err, ErrUnusable) {
				t.Errorf("%s as %s, cut short: %v, %v", typ, name, public, err)
			}
		}
		point[len(point)-1] ^= 1
		if public, err := decodeECDSA(params[0], point); !errors.Is(err, ErrUnusable) {
			t.Errorf("a point that isn't on %s: %v, %v", typ, public, err)
		}
	}
}

func TestDecodeEd25519(t *testing.T) {
	key, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	both, err := ecParams(Ed25519)
	if err != nil || len(both) != 2 {
		t.Fatalf("%x, %v; want the OID and the name", both, err)
	}
	for how, point := range encodings(t, key) {
		for _, params := range both {
			if public, err := decodeEd25519(params, point); err != nil || !key.Equal(public) {
				t.Errorf("%s with params %x: %v, %v", how, params, public, err)
			}
		}
		ed448 := []byte{6, 3, 0x2b, 0x65, 0x71}
		if public, err := decodeEd25519(ed448, point); !errors.Is(err, ErrUnusable) {
			t.Errorf("Ed448: %v, %v", public, err)
		}
	}
}

func TestDecodeRefusesCurves(t *testing.T) {
	for name, params := range map[string][]byte{
		"secp256k1": {6, 5, 0x2b, 0x81, 4, 0, 10},
		"explicit":  {0x30, 0},
		"trailing":  {6, 5, 0x2b, 0x81, 4, 0, 0x22, 0},
		"nothing":   nil,
	} {
		if public, err := decodeECDSA(params, make([]byte, 65)); !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v, %v", name, public, err)
		}
	}
}

func TestDecodeRSA(t *testing.T) {
	modulus := func(bits int) []byte {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		return n.Add(n, big.NewInt(1)).Bytes()
	}
	for name, test := range map[string]struct {
		modulus, exponent []byte
		good              bool
	}{
		"2048":           {modulus(2048), []byte{1, 0, 1}, true},
		"leading zeros":  {append([]byte{0}, modulus(3072)...), []byte{0, 1, 0, 1}, true},
		"2047 bits":      {modulus(2047), []byte{1, 0, 1}, false},
		"1024":           {modulus(1024), []byte{1, 0, 1}, false},
		"exponent 1":     {modulus(2048), []byte{1}, false},
		"even exponent":  {modulus(2048), []byte{1, 0, 0}, false},
		"large exponent": {modulus(2048), bytes.Repeat([]byte{0xff}, 9), false},
	} {
		public, err := decodeRSA(test.modulus, test.exponent)
		if (err == nil) != test.good || err != nil && !errors.Is(err, ErrUnusable) {
			t.Errorf("%s: %v, %v", name, public, err)
		}
	}
}

func FuzzDecodePoint(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		f.Fatal(err)
	}
	for _, encoded := range encodings(f, point) {
		f.Add(encoded)
	}
	for _, encoded := range encodings(f, make([]byte, ed25519.PublicKeySize)) {
		f.Add(encoded)
	}
	params, err := ecParams(P256)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, encoded []byte) {
		raw, err := pointBytes(encoded, ed25519.PublicKeySize)
		if err == nil && (len(raw) != ed25519.PublicKeySize || !bytes.HasSuffix(encoded, raw)) {
			t.Errorf("%x gave %x", encoded, raw)
		}
		public, err := decodeECDSA(params[0], encoded)
		if err != nil {
			return
		}
		point, err := public.(*ecdsa.PublicKey).Bytes()
		if err != nil || !bytes.HasSuffix(encoded, point) {
			t.Errorf("%x gave %x (%v)", encoded, point, err)
		}
	})
}
