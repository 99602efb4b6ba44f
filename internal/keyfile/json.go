package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"filippo.io/mldsa"
	josev4 "github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/internal/jose"
)

// parseJSON reads a JWK (RFC 7517, RFC 7518 section 6, RFC 8037, RFC 9964), or
// the file that Coinbase's portal hands out: {"name" or "id": …, "privateKey":
// …}.
func parseJSON(text []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	var members struct {
		Kty        string          `json:"kty"`
		PrivateKey string          `json:"privateKey"`
		Keys       json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("%w: its JSON is damaged", ErrFormat)
	}
	switch {
	case members.Keys != nil:
		return nil, fmt.Errorf("%w: it is a JWK set; give one JWK of it", ErrFormat)
	case members.Kty == jose.MLDSA65.Kty:
		return parseAKP(text)
	case members.Kty != "":
		return parseJWK(text)
	case members.PrivateKey == "":
		return nil, fmt.Errorf("%w: its JSON is neither a JWK nor Coinbase's", ErrFormat)
	}
	inner := []byte(members.PrivateKey)
	defer clear(inner)
	if bytes.Contains(inner, []byte("-----BEGIN ")) { // an ECDSA key
		return parsePEM(inner, passphrase)
	}
	return parseCoinbaseSecret(inner)
}

// parseAKP reads an ML-DSA key (RFC 9964): its private half is the seed.
func parseAKP(text []byte) (crypto.Signer, error) {
	var members struct {
		Alg  string    `json:"alg"`
		Pub  base64URL `json:"pub"`
		Priv base64URL `json:"priv"`
	}
	defer func() { clear(members.Priv) }()
	if err := json.Unmarshal(text, &members); err != nil {
		return nil, fmt.Errorf("%w: the JWK is damaged", ErrFormat)
	}
	parameters, ok := jose.Kind{Kty: jose.MLDSA65.Kty, Crv: members.Alg}.Parameters()
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: the JWK's alg isn't ML-DSA-44, -65 or -87", ErrFormat)
	case len(members.Priv) == 0:
		return nil, fmt.Errorf("%w: the JWK is only the public half", ErrFormat)
	}
	key, err := mldsa.NewPrivateKey(parameters, members.Priv)
	if err != nil {
		return nil, fmt.Errorf("%w: the JWK is damaged", ErrFormat)
	}
	if !bytes.Equal(key.PublicKey().Bytes(), members.Pub) {
		return nil, fmt.Errorf("%w: the halves of the ML-DSA key don't belong together", ErrFormat)
	}
	return key, nil
}

// base64URL is a member in base64url without padding.
type base64URL []byte

// UnmarshalText implements encoding.TextUnmarshaler.
func (b *base64URL) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.AppendDecode(nil, text)
	return err
}

func parseJWK(text []byte) (crypto.Signer, error) {
	var key josev4.JSONWebKey
	if err := key.UnmarshalJSON(text); err != nil {
		return nil, fmt.Errorf("%w: the JWK is damaged", ErrFormat)
	}
	if key.IsPublic() {
		return nil, fmt.Errorf("%w: the JWK is only the public half", ErrFormat)
	}
	return supported(key.Key, nil)
}

// parseCoinbaseSecret reads Coinbase's Ed25519 keys: the seed and the public
// key in base64.
func parseCoinbaseSecret(text []byte) (crypto.Signer, error) {
	raw := make([]byte, base64.StdEncoding.DecodedLen(len(text)))
	defer clear(raw)
	n, err := base64.StdEncoding.Decode(raw, text)
	if err != nil || n != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("%w: it is neither PEM, DER, a JWK nor a base64 key of %d bytes", ErrFormat, ed25519.PrivateKeySize)
	}
	key := ed25519.NewKeyFromSeed(raw[:ed25519.SeedSize])
	if !bytes.Equal(key, raw[:n]) {
		Wipe(key)
		return nil, fmt.Errorf("%w: the halves of the Ed25519 key don't belong together", ErrFormat)
	}
	return key, nil
}
