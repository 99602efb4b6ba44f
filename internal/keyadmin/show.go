package keyadmin

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"

	"golang.org/x/crypto/ssh"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// Why a key can't be shown in a format.
var (
	ErrNoPublicKey   = errors.New("the public key can't be read")
	ErrNoAlgorithm   = errors.New("no algorithm")
	ErrNoCertificate = errors.New("no certificate")
)

// PEM returns the public key as a SubjectPublicKeyInfo (RFC 7468 section 13).
func (k Key) PEM() ([]byte, error) {
	der, err := jose.MarshalSPKI(k.Pair.Public())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPublicKey, err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}), nil
}

// JWK returns the public key as in the JWKS (RFC 7517), indented.
func (k Key) JWK() ([]byte, error) {
	set, err := k.set()
	if err != nil {
		return nil, err
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set.JSON(), &document); err != nil || len(document.Keys) != 1 {
		return nil, fmt.Errorf("extract the key from its set: %w", err)
	}
	return indent(document.Keys[0])
}

func (k Key) set() (jwks.Set, error) {
	if k.Alg == "" {
		possible := jwks.Algorithms(k.Pair.Public())
		if len(possible) == 0 {
			return jwks.Set{}, ErrNoPublicKey
		}
		if k.Pair.Type()[:3] == "RSA" {
			return jwks.Set{}, fmt.Errorf("%w: this key can sign %v; choose one with --alg", ErrNoAlgorithm, possible)
		}
		k.Alg = possible[0]
	}
	return jwks.NewSet([]jwks.Key{{Kid: k.Kid, Alg: k.Alg, Public: k.Pair.Public(), Certificates: k.Certificates}})
}

func indent(value any) ([]byte, error) {
	text, err := json.MarshalIndent(value, "", "  ")
	return append(text, '\n'), err
}

// SSH returns the public key as a line of an authorized_keys file (RFC 4253
// section 6.6, RFC 5656, RFC 8709), with the label as its comment. It quotes
// the label, so that a line break in it can't add another key.
func (k Key) SSH() ([]byte, error) {
	key, err := ssh.NewPublicKey(k.Pair.Public())
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoPublicKey, err)
	}
	line := ssh.MarshalAuthorizedKey(key)
	return fmt.Appendf(nil, "%s %s\n", line[:len(line)-1], Printable(k.Label)), nil
}

// CertificatePEM returns the key's certificate and its issuers (RFC 7468
// section 5).
func (k Key) CertificatePEM() ([]byte, error) {
	if len(k.Certificates) == 0 {
		return nil, fmt.Errorf("%w: key %s has none; request one with assertd key csr and store it with assertd key import-cert", ErrNoCertificate, k.Kid)
	}
	var text []byte
	for _, c := range k.Certificates {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text, nil
}
