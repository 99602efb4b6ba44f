package main

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/go-json-experiment/json"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// signedMessage is a JWT by a key that signs the message itself. go-jose
// doesn't know all of their algorithms (RFC 9864, RFC 9964).
type signedMessage struct {
	input             string // what is signed (RFC 7515 section 5.1)
	claims, signature []byte
	header            struct {
		Alg  string   `json:"alg"`
		Kid  string   `json:"kid"`
		Crit []string `json:"crit"`
	}
}

// parseMessage parses a JWT; ok is false if its key signs a digest, or if it
// isn't a JWT, which go-jose then reports.
func parseMessage(compact string) (m signedMessage, ok bool) {
	parts := strings.Split(compact, ".")
	if len(parts) != 3 {
		return m, false
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if decoded[i], err = base64.RawURLEncoding.DecodeString(part); err != nil {
			return m, false
		}
	}
	if err := json.Unmarshal(decoded[0], &m.header); err != nil || m.header.Crit != nil {
		return m, false
	}
	m.input, m.claims, m.signature = parts[0]+"."+parts[1], decoded[1], decoded[2]
	a, err := jose.Lookup(m.header.Alg)
	return m, err == nil && a.Kind.SignsMessages()
}

// verify checks the signature with the key that the header names, and reads the
// claims.
func (m signedMessage) verify(set jwks.Set) (claims jwt.Claims, key jwks.Key, err error) {
	key, found := set.Lookup(m.header.Kid)
	if !found {
		return claims, key, noSuchKey(m.header.Kid)
	}
	if m.header.Alg != key.Alg {
		return claims, key, otherAlgorithm(key, m.header.Alg)
	}
	if jose.Verify(key.Public, []byte(m.input), nil, m.signature) != nil {
		return claims, key, wrongSignature(key)
	}
	if err := json.Unmarshal(m.claims, &claims); err != nil {
		return claims, key, fmt.Errorf("%w: its claims can't be read", errNotVerified)
	}
	return claims, key, nil
}

func otherAlgorithm(key jwks.Key, alg string) error {
	return fmt.Errorf("%w: key %s is for %s, but the header says %s", errNotVerified, key.Kid, key.Alg, alg)
}

func wrongSignature(key jwks.Key) error {
	return fmt.Errorf("%w: the signature does not match key %s", errNotVerified, key.Kid)
}
