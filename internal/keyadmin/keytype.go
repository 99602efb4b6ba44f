package keyadmin

import (
	"errors"
	"fmt"

	"github.com/assertd/assertd/hsm"
)

// defaultRSABits is the size of RSA keys where nobody says: good beyond 2030 by
// NIST SP 800-57 part 1, and still quick to sign with.
const defaultRSABits = 3072

// ErrKeyType is an algorithm, or a size, that no key is generated for.
var ErrKeyType = errors.New("no such type of key")

var fixedTypes = map[string]hsm.KeyType{
	"ES256": hsm.P256, "ES384": hsm.P384, "ES512": hsm.P521, "EdDSA": hsm.Ed25519, "Ed25519": hsm.Ed25519,
}

var rsaTypes = map[int]hsm.KeyType{2048: hsm.RSA2048, 3072: hsm.RSA3072, 4096: hsm.RSA4096}

// KeyType is the type of key that signs a JOSE algorithm. bits is for RSA
// alone: 2048, 3072, 4096, or 0 for 3072.
func KeyType(alg string, bits int) (hsm.KeyType, error) {
	if typ, ok := fixedTypes[alg]; ok {
		if bits != 0 {
			return "", fmt.Errorf("%w: %d bits for %s, whose name says its size; leave bits out", ErrKeyType, bits, alg)
		}
		return typ, nil
	}
	if len(alg) != 5 || (alg[:2] != "RS" && alg[:2] != "PS") {
		return "", fmt.Errorf("%w: %q; use ES256, ES384, ES512, RS256, PS256 or one of their kin, EdDSA or Ed25519", ErrKeyType, alg)
	}
	if bits == 0 {
		bits = defaultRSABits
	}
	typ, ok := rsaTypes[bits]
	if !ok {
		return "", fmt.Errorf("%w: RSA-%d; choose 2048, 3072 or 4096 bits", ErrKeyType, bits)
	}
	return typ, nil
}
