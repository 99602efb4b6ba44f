package keyadmin

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// defaultRSABits is the size of RSA keys where nobody says: good beyond 2030 by
// NIST SP 800-57 part 1, and still quick to sign with.
const defaultRSABits = 3072

// ErrKeyType is an algorithm, or a size, that no key is generated for.
var ErrKeyType = errors.New("no such type of key")

var rsaTypes = map[int]hsm.KeyType{2048: hsm.RSA2048, 3072: hsm.RSA3072, 4096: hsm.RSA4096}

// KeyType is the type of key that signs a JOSE algorithm. bits is for RSA
// alone: 2048, 3072, 4096, or 0 for 3072.
func KeyType(alg string, bits int) (hsm.KeyType, error) {
	a, err := jose.Lookup(alg)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %q; use one of %s", ErrKeyType, alg, strings.Join(jose.Names(), ", "))
	case a.Kind != jose.RSA && bits != 0:
		return "", fmt.Errorf("%w: %d bits for %s, which has one size only; leave bits out", ErrKeyType, bits, alg)
	case a.Kind != jose.RSA:
		return hsm.KeyType(a.Kind.Crv), nil
	}
	typ, ok := rsaTypes[cmp.Or(bits, defaultRSABits)]
	if !ok {
		return "", fmt.Errorf("%w: RSA-%d; choose 2048, 3072 or 4096 bits", ErrKeyType, bits)
	}
	return typ, nil
}
