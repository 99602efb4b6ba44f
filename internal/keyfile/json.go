package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/go-jose/go-jose/v4"
)

// parseJSON reads a JWK (RFC 7517, RFC 7518 section 6, RFC 8037), or the file
// that Coinbase's portal hands out: {"name" or "id": …, "privateKey": …}.
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

func parseJWK(text []byte) (crypto.Signer, error) {
	var key jose.JSONWebKey
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
