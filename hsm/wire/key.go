package wire

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// maxModulus is the largest RSA key that is used, in bits. The time to verify
// grows with its square, and the front verifies every signature.
const maxModulus = 8192

// KeyRef names a key pair by the jose.Fingerprint of its public half. The same
// pair on two tokens is one key. It is an alias so that packages that must not
// link PKCS#11 can name keys too.
type KeyRef = [sha256.Size]byte

// RefOf returns the KeyRef of a public key. It fails for keys that crypto/x509
// can't encode.
func RefOf(public crypto.PublicKey) (KeyRef, error) { return jose.Fingerprint(public) }

// KeyInfo is a key pair as the token that holds it describes it. SPKI crosses
// to the pool, which derives Ref, Public and Token itself: a worker's word on
// which key a public half belongs to, or which token it serves, isn't needed.
type KeyInfo struct {
	Ref          KeyRef `json:"-"` // zero if the public half is unreadable or too large
	Token        string `json:"-"` // the token's name in the configuration
	Label        string // CKA_LABEL
	ID           []byte // CKA_ID
	Type         hsm.KeyType
	SPKI         []byte           // the public half (RFC 5280 section 4.1); empty if unreadable
	Public       crypto.PublicKey `json:"-"` // nil if unreadable or too large
	Custody      hsm.Custody
	Excuses      []hsm.Excuse // attributes that custody would refuse, but for a quirk or a setting
	Imported     bool         // the key was outside the token before, or the token doesn't tell
	Hashes       bool         // the token signs messages that it hashes, not only digests
	Problem      string       // why the key can't be used; such a key doesn't sign
	Certificates [][]byte     // DER; those with the key's CKA_ID
}

// Signs reports whether the key can make signatures that the pool can verify.
func (k KeyInfo) Signs() bool { return k.Public != nil && k.Problem == "" }

// Equal reports whether two descriptions are of the same key in the same state.
func (k KeyInfo) Equal(other KeyInfo) bool {
	return k.Ref == other.Ref && k.Label == other.Label && bytes.Equal(k.ID, other.ID) &&
		k.Custody == other.Custody && k.Imported == other.Imported && slices.Equal(k.Excuses, other.Excuses) &&
		k.Hashes == other.Hashes && k.Problem == other.Problem &&
		slices.EqualFunc(k.Certificates, other.Certificates, bytes.Equal)
}

// EncodeKey encodes a generated key, the payload of KindKey.
func EncodeKey(k KeyInfo) ([]byte, error) {
	payload, err := json.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("hsm/wire: encode the generated key: %w", err)
	}
	return payload, nil
}

// DecodeKey decodes a generated key of the named token.
func DecodeKey(payload []byte, token string) (KeyInfo, error) {
	var k KeyInfo
	if err := json.Unmarshal(payload, &k); err != nil {
		return KeyInfo{}, Malformed("the generated key: %v", err)
	}
	err := k.derive(token)
	return k, err
}

// derive fills in what doesn't cross.
func (k *KeyInfo) derive(token string) error {
	k.Token = token
	if len(k.SPKI) == 0 {
		return nil
	}
	public, err := jose.ParseSPKI(k.SPKI)
	if err != nil {
		return Malformed("the public half of key %q: %v", k.Label, err)
	}
	if rsaKey, ok := public.(*rsa.PublicKey); ok && rsaKey.N.BitLen() > maxModulus {
		k.Problem = fmt.Sprintf("an RSA key of %d bits; the limit is %d", rsaKey.N.BitLen(), maxModulus)
		return nil
	}
	k.Public = public
	k.Ref, err = RefOf(public)
	return err
}
