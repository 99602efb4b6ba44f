package jose

import (
	"crypto"

	"filippo.io/mldsa/x509"
)

// MarshalSPKI encodes a public key as a SubjectPublicKeyInfo in DER (RFC 5280
// section 4.1; RFC 9881 for ML-DSA, which crypto/x509 doesn't know yet). It
// fails for keys that have no such encoding.
func MarshalSPKI(public crypto.PublicKey) ([]byte, error) { return x509.MarshalPKIXPublicKey(public) }

// ParseSPKI reverses MarshalSPKI.
func ParseSPKI(der []byte) (crypto.PublicKey, error) { return x509.ParsePKIXPublicKey(der) }
