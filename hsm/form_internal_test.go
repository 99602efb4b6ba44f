package hsm

import (
	"bytes"
	"crypto"
	"crypto/elliptic"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
)

// The halves of a token's signature have leading zeros; DER has none.
func TestECDSAToDER(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		size := coordinate(curve)
		raw := make([]byte, 2*size)
		raw[size-1], raw[2*size-1] = 1, 0x80
		der, err := formECDSA(curve, make([]byte, 32)).encode(raw)
		if err != nil {
			t.Fatal(err)
		}
		var halves struct{ R, S *big.Int }
		if rest, err := asn1.Unmarshal(der, &halves); err != nil || len(rest) > 0 || halves.R.Int64() != 1 || halves.S.Int64() != 0x80 {
			t.Errorf("%x became %x", raw, der)
		}
		for _, bad := range [][]byte{nil, raw[1:], append(raw, 0), raw[:size]} {
			if der, err := formECDSA(curve, make([]byte, 32)).encode(bad); !errors.Is(err, ErrSignature) {
				t.Errorf("a signature of %d bytes for %s became %x, %v", len(bad), curve.Params().Name, der, err)
			}
		}
	}
}

func TestECDSACutsTheDigest(t *testing.T) {
	digest := bytes.Repeat([]byte{7}, 64)
	for curve, want := range map[elliptic.Curve]int{elliptic.P256(): 32, elliptic.P384(): 48, elliptic.P521(): 64} {
		if got := formECDSA(curve, digest).input; !bytes.Equal(got, digest[:want]) {
			t.Errorf("%s gets %d bytes, want the first %d", curve.Params().Name, len(got), want)
		}
	}
}

func TestExactSignatureLength(t *testing.T) {
	for size, good := range map[int]bool{0: false, 63: false, 64: true, 65: false} {
		if _, err := (form{size: 64}).encode(make([]byte, size)); (err == nil) != good || err != nil && !errors.Is(err, ErrSignature) {
			t.Errorf("a signature of %d bytes where 64 are due: %v", size, err)
		}
	}
}

func TestFlagOf(t *testing.T) {
	for value, want := range map[string]Flag{"\x00": False, "\x01": True, "": Unknown, "\x02": Unknown, "\x01\x00": Unknown} {
		if got := flagOf([]byte(value)); got != want {
			t.Errorf("%x reads as %v, want %v", value, got, want)
		}
	}
}

func TestDigestInfo(t *testing.T) {
	for hash, last := range map[crypto.Hash]int{crypto.SHA256: 1, crypto.SHA384: 2, crypto.SHA512: 3} {
		var info struct {
			Algorithm struct {
				OID  asn1.ObjectIdentifier
				Null asn1.RawValue
			}
			Digest []byte
		}
		oid := asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, last}
		rest, err := asn1.Unmarshal(append(bytes.Clone(hashes[hash].prefix), make([]byte, hash.Size())...), &info)
		if err != nil || len(rest) > 0 || len(info.Digest) != hash.Size() || !info.Algorithm.OID.Equal(oid) {
			t.Errorf("%v: %+v, %v", hash, info, err)
		}
	}
}
