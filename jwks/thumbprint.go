package jwks

import (
	"crypto"
	"crypto/sha256"
	"fmt"
)

// Thumbprint returns the RFC 7638 SHA-256 thumbprint of a public key, as 43
// characters of base64url without padding: the kid of a version. It supports EC
// keys on P-256, P-384 and P-521, RSA keys of any size, Ed25519 keys (RFC 8037
// section 2), and ML-DSA keys (RFC 9964). Other keys are ErrUnsupportedKey,
// private ones ErrPrivateKey.
func Thumbprint(public crypto.PublicKey) (string, error) {
	key, err := encodePublic(public)
	if err != nil {
		return "", err
	}
	return thumbprint(key), nil
}

// thumbprint hashes the required members in lexicographic order (RFC 7638
// section 3.2). No value has a character that JSON escapes.
func thumbprint(key jwk) string {
	var canonical string
	switch key.Kty {
	case "EC":
		canonical = fmt.Sprintf(`{"crv":%q,"kty":"EC","x":%q,"y":%q}`, key.Crv, key.X, key.Y)
	case "RSA":
		canonical = fmt.Sprintf(`{"e":%q,"kty":"RSA","n":%q}`, key.E, key.N)
	case "AKP":
		canonical = fmt.Sprintf(`{"alg":%q,"kty":"AKP","pub":%q}`, key.Alg, key.Pub)
	default:
		canonical = fmt.Sprintf(`{"crv":%q,"kty":%q,"x":%q}`, key.Crv, key.Kty, key.X)
	}
	sum := sha256.Sum256([]byte(canonical))
	return b64.EncodeToString(sum[:])
}
