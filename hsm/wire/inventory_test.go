package wire

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"math/big"
	"reflect"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
)

func TestInventoryRoundTrip(t *testing.T) {
	described := TokenDescription{Module: hsm.ModuleInfo{Provider: "p", Quirks: []hsm.Quirk{{Name: "q", Meaning: "r"}}}, Offers: []hsm.Offer{{Alg: "ES256"}}}
	for _, state := range hsm.PINStates() {
		payload, err := Inventory{PIN: state, Token: described, Keys: []KeyInfo{{Label: "a", Problem: "b"}}}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		i, err := DecodeInventory(payload, "token")
		if err != nil || i.PIN != state || len(i.Keys) != 1 || i.Keys[0].Label != "a" || !reflect.DeepEqual(i.Token, described) {
			t.Errorf("%s: %+v, %v", state, i, err)
		}
	}
}

// A worker that a module has taken over can send sixteen megabytes that stand
// for gigabytes.
func TestInventoryIsBounded(t *testing.T) {
	const start = "\x00\x00\x00\x00\x02{}" // the state of the PIN, and a description of the token
	list := func(n int) []byte { return []byte(start + "[{}" + strings.Repeat(",{}", n-1) + "]") }
	if i, err := DecodeInventory(list(hsm.MaxKeys), "token"); err != nil || len(i.Keys) != hsm.MaxKeys {
		t.Errorf("as many as may be: %d keys, %v", len(i.Keys), err)
	}
	for name, payload := range map[string][]byte{
		"one more": list(hsm.MaxKeys + 1), "all that fit": list(MaxReply / 3), "no list": []byte(start + "{}"), "nothing": nil, "null": []byte(start + "null"),
		"cut off": []byte(start + "[{}"), "a wrong key": []byte(start + `[{"SPKI":"AAAA"}]`), "no key": []byte(start + "[1]"),
		"no state": []byte("[]"), "only a state": {0}, "another state": []byte("\x04" + start[1:] + "[]"),
		"no description": []byte("\x00[]"), "a long description": []byte("\x00\xff\xff\xff\xff{}[]"), "a list for it": []byte("\x00\x00\x00\x00\x02[][]"),
	} {
		if i, err := DecodeInventory(payload, "token"); !errors.Is(err, ErrMalformed) || i.Keys != nil {
			t.Errorf("%s: %d keys, %v", name, len(i.Keys), err)
		}
	}
	if _, err := (Inventory{PIN: hsm.PINOK, Keys: make([]KeyInfo, hsm.MaxKeys+1)}).Encode(); err == nil || !strings.Contains(err.Error(), "remove old keys") {
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
