package wire

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"strings"
	"testing"
)

// A worker that a module has taken over can send sixteen megabytes that stand
// for gigabytes.
func TestInventoryIsBounded(t *testing.T) {
	list := func(n int) []byte { return []byte("[{}" + strings.Repeat(",{}", n-1) + "]") }
	if keys, err := DecodeInventory(list(maxKeys), "token"); err != nil || len(keys) != maxKeys {
		t.Errorf("as many as may be: %d keys, %v", len(keys), err)
	}
	for name, payload := range map[string][]byte{
		"one more": list(maxKeys + 1), "all that fit": list(MaxReply / 3), "no list": []byte("{}"), "nothing": nil, "null": []byte("null"), "cut off": []byte("[{}"),
		"a wrong key": []byte(`[{"SPKI":"AAAA"}]`), "no key": []byte("[1]"),
	} {
		if keys, err := DecodeInventory(payload, "token"); !errors.Is(err, ErrMalformed) || keys != nil {
			t.Errorf("%s: %d keys, %v", name, len(keys), err)
		}
	}
	if _, err := EncodeInventory(make([]KeyInfo, maxKeys+1)); err == nil || !strings.Contains(err.Error(), "remove old keys") {
		t.Errorf("a token with too many keys: %v", err)
	}
}

// A key so large that each signature would keep the front busy is shown with
// its problem, and does not sign.
func TestModulusIsBounded(t *testing.T) {
	for bits, usable := range map[uint]bool{2048: true, maxModulus: true, maxModulus + 1: false} {
		n := new(big.Int).Lsh(big.NewInt(1), bits-1)
		spki, err := x509.MarshalPKIXPublicKey(&rsa.PublicKey{N: n.SetBit(n, 0, 1), E: 65537})
		if err != nil {
			t.Fatal(err)
		}
		k := KeyInfo{Label: "large", SPKI: spki}
		err = k.derive("token")
		if err != nil || (k.Public != nil) != usable || (k.Problem == "") != usable || (k.Ref != KeyRef{}) != usable {
			t.Errorf("%d bits: %+v, %v", bits, k, err)
		}
	}
}

// A signature is a kilobyte at most; a worker that a module has taken over gets
// no more into the front.
func TestSignatureIsBounded(t *testing.T) {
	for size, ok := range map[int]bool{0: false, 1: true, maxSignature: true, maxSignature + 1: false} {
		r, err := ParseSignReply(payloadOf(t, SignReply{Signature: make([]byte, size)}))
		if (err == nil) != ok || (ok && len(r.Signature) != size) || (!ok && !errors.Is(err, ErrMalformed)) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}
