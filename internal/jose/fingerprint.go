package jose

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"fmt"
)

// Fingerprint is the SHA-256 of a public key's SubjectPublicKeyInfo (RFC 5280
// section 4.1). The same key on two tokens has the same one. It fails for keys
// that crypto/x509 can't encode.
func Fingerprint(public crypto.PublicKey) ([sha256.Size]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return [sha256.Size]byte{}, fmt.Errorf("encode the public key: %w", err)
	}
	return sha256.Sum256(spki), nil
}
