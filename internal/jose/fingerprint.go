package jose

import (
	"crypto"
	"crypto/sha256"
	"fmt"
)

// Fingerprint is the SHA-256 of a public key's SubjectPublicKeyInfo (RFC 5280
// section 4.1). The same key on two tokens has the same one. It fails for keys
// that have no such encoding.
func Fingerprint(public crypto.PublicKey) ([sha256.Size]byte, error) {
	spki, err := MarshalSPKI(public)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode the public key: %w", err)
	}
	return sha256.Sum256(spki), nil
}
