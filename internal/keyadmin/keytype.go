package keyadmin

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// defaultRSABits is the default size of RSA keys: good beyond 2030 by NIST SP
// 800-57 part 1, and still fast.
const defaultRSABits = 3072

// ErrKeyType reports an algorithm or size that assertd doesn't generate keys
// for.
var ErrKeyType = errors.New("unsupported key type")

var rsaTypes = map[int]hsm.KeyType{2048: hsm.RSA2048, 3072: hsm.RSA3072, 4096: hsm.RSA4096}

// KeyType returns the type of key for a JOSE algorithm. bits is only for RSA:
// 2048, 3072, 4096, or 0 for 3072.
func KeyType(alg string, bits int) (hsm.KeyType, error) {
	a, err := jose.Lookup(alg)
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %q; use one of %s", ErrKeyType, alg, strings.Join(jose.Names(), ", "))
	case a.Kind != jose.RSA && bits != 0:
		return "", fmt.Errorf("%w: %d bits for %s, which has only one size; omit bits", ErrKeyType, bits, alg)
	case a.Kind != jose.RSA:
		return hsm.KeyType(a.Kind.Crv), nil
	}
	typ, ok := rsaTypes[cmp.Or(bits, defaultRSABits)]
	if !ok {
		return "", fmt.Errorf("%w: RSA-%d; choose 2048, 3072 or 4096 bits", ErrKeyType, bits)
	}
	return typ, nil
}
