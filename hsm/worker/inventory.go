package worker

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
)

// maxKeys is how many private keys a token may hold.
const maxKeys = 50_000

// maxModulus is the largest RSA key that is used, in bits. The time to verify grows with the square of it, and the front verifies every signature.
const maxModulus = 8192

// KeyInfo is a key pair as the token that holds it described it.
type KeyInfo struct {
	Ref          KeyRef           // zero where the public half couldn't be read
	Token        string           // TokenConfig.Name
	Label        string           // CKA_LABEL
	ID           []byte           // CKA_ID
	Type         hsm.KeyType      // empty where the public half couldn't be read
	Public       crypto.PublicKey // nil where it couldn't be read, or is too large to be used
	Custody      hsm.Custody
	Problem      string   // why it can't be used; such a key doesn't sign
	Certificates [][]byte // DER, those with the key's CKA_ID
}

// wireKey is a KeyInfo between worker and pool.
type wireKey struct {
	Label        string
	ID           []byte
	Type         hsm.KeyType
	SPKI         []byte
	Custody      hsm.Custody
	Problem      string
	Certificates [][]byte
}

// describe gives a key the form in which it crosses to the pool.
func describe(key *hsm.Key, certificates []hsm.Certificate) wireKey {
	w := wireKey{Label: key.Label(), ID: key.ID(), Type: key.Type(), Custody: key.Custody()}
	if err := key.Problem(); err != nil {
		w.Problem = clip(err.Error(), maxText)
	}
	if public := key.Public(); public != nil {
		if spki, err := x509.MarshalPKIXPublicKey(public); err == nil {
			w.SPKI = spki
		}
	}
	for _, c := range certificates {
		if len(c.ID) > 0 && bytes.Equal(c.ID, w.ID) {
			w.Certificates = append(w.Certificates, c.Certificate.Raw)
		}
	}
	return w
}

// info is the key as the pool's callers see it.
func (w wireKey) info(token string) (KeyInfo, error) {
	k := KeyInfo{Token: token, Label: w.Label, ID: w.ID, Type: w.Type, Custody: w.Custody, Problem: w.Problem, Certificates: w.Certificates}
	if len(w.SPKI) == 0 {
		return k, nil
	}
	public, err := x509.ParsePKIXPublicKey(w.SPKI)
	if err != nil {
		return KeyInfo{}, protocolError("the public half of key %q: %v", w.Label, err)
	}
	if rsaKey, ok := public.(*rsa.PublicKey); ok && rsaKey.N.BitLen() > maxModulus {
		k.Problem = fmt.Sprintf("an RSA key of %d bits; %d are the limit", rsaKey.N.BitLen(), maxModulus)
		return k, nil
	}
	k.Public = public
	k.Ref, err = RefOf(public)
	return k, err
}

func encodeInventory(keys []wireKey) ([]byte, error) {
	payload, err := json.Marshal(keys)
	if err != nil {
		return nil, fmt.Errorf("hsm/worker: encode the inventory: %w", err)
	}
	if len(keys) > maxKeys || len(payload) > maxFrame-idSize {
		return nil, fmt.Errorf("hsm/worker: %d keys make an inventory of %d bytes; %d keys and %d bytes are the limits: remove old keys from the token",
			len(keys), len(payload), maxKeys, maxFrame-idSize)
	}
	return payload, nil
}

// decodeInventory takes one key after the other: sixteen megabytes hold five million empty ones, which must not become gigabytes of descriptions.
func decodeInventory(payload []byte, token string) ([]KeyInfo, error) {
	list := json.NewDecoder(bytes.NewReader(payload))
	if open, err := list.Token(); err != nil || open != json.Delim('[') {
		return nil, protocolError("the inventory is no list")
	}
	keys := []KeyInfo{}
	for list.More() {
		if len(keys) == maxKeys {
			return nil, protocolError("the inventory has more than %d keys", maxKeys)
		}
		var w wireKey
		if err := list.Decode(&w); err != nil {
			return nil, protocolError("the inventory: %v", err)
		}
		k, err := w.info(token)
		if err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	if _, err := list.Token(); err != nil {
		return nil, protocolError("the inventory: %v", err)
	}
	return keys, nil
}

// sameKeys says whether two inventories of a token describe the same.
func sameKeys(a, b []KeyInfo) bool {
	return slices.EqualFunc(a, b, func(x, y KeyInfo) bool {
		return x.Ref == y.Ref && x.Label == y.Label && bytes.Equal(x.ID, y.ID) && x.Custody == y.Custody && x.Problem == y.Problem &&
			slices.EqualFunc(x.Certificates, y.Certificates, bytes.Equal)
	})
}
