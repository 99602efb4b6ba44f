package profile

import (
	"crypto"
	"crypto/sha1" // x5t is a SHA-1 thumbprint by definition, RFC 7515 section 4.1.7
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/internal/jose"
)

// HeaderParam is a JOSE header parameter that a profile adds to alg, kid and
// typ.
type HeaderParam string

// The header parameters that rows use. There is no jku and no x5u: a verifier
// that follows a URL in the assertion trusts the assertion's author.
const (
	// ParamX5TS256 is the certificate's SHA-256 thumbprint (RFC 7515 section
	// 4.1.8).
	ParamX5TS256 HeaderParam = "x5t#S256"
	// ParamX5T is the certificate's SHA-1 thumbprint (RFC 7515 section 4.1.7).
	ParamX5T HeaderParam = "x5t"
	// ParamX5C is the certificate chain, leaf first (RFC 7515 section 4.1.6).
	ParamX5C HeaderParam = "x5c"
	// ParamJWK is the public key itself (RFC 7515 section 4.1.3).
	ParamJWK HeaderParam = "jwk"
	// ParamNonce is 128 random bits in hexadecimal.
	ParamNonce HeaderParam = "nonce"
)

// NeedsCertificate reports whether the header refers to a certificate.
func (p *Profile) NeedsCertificate() bool {
	for _, m := range p.Header {
		if m == ParamX5TS256 || m == ParamX5T || m == ParamX5C {
			return true
		}
	}
	return false
}

// HeaderKid returns the kid of the header, given the key's; empty for none.
func (p *Profile) HeaderKid(kid string) string {
	if p.KeyID == KeyIDNone {
		return ""
	}
	return kid
}

// header builds all parameters but alg and kid.
func (p *Profile) header(in Input) (map[string]any, error) {
	if err := p.checkCertificate(in); err != nil {
		return nil, err
	}
	header := make(map[string]any, len(p.Header)+1)
	if p.Typ != "" {
		header["typ"] = p.Typ
	}
	for _, m := range p.Header {
		value, err := m.value(in)
		if err != nil {
			return nil, err
		}
		header[string(m)] = value
	}
	return header, nil
}

func (p *Profile) checkCertificate(in Input) error {
	if !p.NeedsCertificate() {
		return nil
	}
	if len(in.Certificates) == 0 {
		return fmt.Errorf("%w: profile %s needs the key's certificate, but there is none", ErrInput, p.Name)
	}
	leaf := in.Certificates[0]
	if in.Now.Before(leaf.NotBefore) || in.Now.After(leaf.NotAfter) {
		return fmt.Errorf("%w: profile %s: the key's certificate is only valid from %s to %s", ErrInput, p.Name,
			leaf.NotBefore.Format("2006-01-02"), leaf.NotAfter.Format("2006-01-02"))
	}
	if !jose.Certifies(leaf, in.Public) {
		return fmt.Errorf("%w: profile %s: the certificate does not match the signing key", ErrInput, p.Name)
	}
	return nil
}

func (m HeaderParam) value(in Input) (any, error) {
	switch m {
	case ParamX5TS256:
		sum := sha256.Sum256(in.Certificates[0].Raw)
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil
	case ParamX5T:
		sum := sha1.Sum(in.Certificates[0].Raw)
		return base64.RawURLEncoding.EncodeToString(sum[:]), nil
	case ParamX5C:
		return chain(in.Certificates), nil
	case ParamJWK:
		return publicJWK(in.Public)
	case ParamNonce:
		nonce, err := randomID(in.Random)
		if err != nil {
			return nil, fmt.Errorf("read random bytes for the header's nonce: %w", err)
		}
		return hex.EncodeToString(nonce[:]), nil
	}
	return nil, fmt.Errorf("unknown header parameter %q", m)
}

// chain encodes each certificate in standard base64, not base64url.
func chain(certificates []*x509.Certificate) []string {
	encoded := make([]string, 0, len(certificates))
	for _, c := range certificates {
		encoded = append(encoded, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return encoded
}

// publicJWK returns a public key as a JWK (RFC 7517) with only the members that
// its RFC 7638 thumbprint covers.
func publicJWK(key crypto.PublicKey) (map[string]any, error) {
	if jose.KindOf(key) == (jose.Kind{}) { // go-jose would encode private keys too
		return nil, fmt.Errorf("%w: a key of type %T is not a public key that assertd uses", ErrInput, key)
	}
	text, err := gojose.JSONWebKey{Key: key}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("%w: encode the public key: %w", ErrInput, err)
	}
	var members map[string]any
	err = json.Unmarshal(text, &members)
	return members, err
}
