package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math"
	"math/big"
	"strings"

	"filippo.io/mldsa"
)

// decodePublic reverses encodePublic, and accepts only its output: full-width
// coordinates of a point on the curve, and integers without leading zeros.
func (k jwk) decodePublic() (crypto.PublicKey, error) {
	switch k.Kty {
	case "EC":
		return k.decodeEC()
	case "RSA":
		return k.decodeRSA()
	case "AKP":
		return k.decodeMLDSA()
	}
	x, err := decodeMember("x", k.X)
	if err != nil {
		return nil, err
	}
	if len(x) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%w: \"x\" has %d bytes, want %d", ErrUnsupportedKey, len(x), ed25519.PublicKeySize)
	}
	return ed25519.PublicKey(x), nil
}

func (k jwk) decodeEC() (crypto.PublicKey, error) {
	curve := k.kind().Curve()
	width := (curve.Params().BitSize + 7) / 8
	point := []byte{4} // uncompressed
	for _, coordinate := range []struct{ name, value string }{{"x", k.X}, {"y", k.Y}} {
		bytes, err := decodeMember(coordinate.name, coordinate.value)
		if err != nil {
			return nil, err
		}
		if len(bytes) != width {
			return nil, fmt.Errorf("%w: %q has %d bytes, want %d with leading zeros (RFC 7518 section 6.2.1.2)",
				ErrUnsupportedKey, coordinate.name, len(bytes), width)
		}
		point = append(point, bytes...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, fmt.Errorf("%w: not a point on %s", ErrUnsupportedKey, k.Crv)
	}
	return key, nil
}

func (k jwk) decodeRSA() (crypto.PublicKey, error) {
	n, err := decodeInteger("n", k.N)
	if err != nil {
		return nil, err
	}
	e, err := decodeInteger("e", k.E)
	if err != nil {
		return nil, err
	}
	if !e.IsInt64() || e.Int64() > math.MaxInt32 {
		return nil, fmt.Errorf("%w: the exponent \"e\" is above the maximum of %d", ErrUnsupportedKey, math.MaxInt32)
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

func (k jwk) decodeMLDSA() (crypto.PublicKey, error) {
	pub, err := decodeMember("pub", k.Pub)
	if err != nil {
		return nil, err
	}
	parameters, ok := k.kind().Parameters()
	if !ok || len(pub) != parameters.PublicKeySize() {
		return nil, fmt.Errorf("%w: \"pub\" has %d bytes, which is no %s key", ErrUnsupportedKey, len(pub), k.Alg)
	}
	key, err := mldsa.NewPublicKey(parameters, pub)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnsupportedKey, err)
	}
	return key, nil
}

func decodeInteger(name, value string) (*big.Int, error) {
	bytes, err := decodeMember(name, value)
	if err != nil {
		return nil, err
	}
	if len(bytes) == 0 || bytes[0] == 0 {
		return nil, fmt.Errorf("%w: %q is missing or has leading zeros (RFC 7518 section 2, Base64urlUInt)", ErrUnsupportedKey, name)
	}
	return new(big.Int).SetBytes(bytes), nil
}

func decodeMember(name, value string) ([]byte, error) {
	bytes, err := b64.DecodeString(value)
	// The decoder skips line breaks even when strict.
	if err != nil || strings.ContainsAny(value, "\r\n") {
		return nil, fmt.Errorf("%w: %q is not base64url without padding", ErrFormat, name)
	}
	return bytes, nil
}
