package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" // x5t is a SHA-1 thumbprint by definition, RFC 7515 section 4.1.7
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"math/big"
)

// HeaderParam is a JOSE header parameter that a profile adds to alg, kid and
// typ.
type HeaderParam string

// The header parameters that rows use. There is no jku and no x5u: a verifier
// that follows a URL in the assertion trusts whoever wrote the assertion.
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
	public, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || !public.Equal(in.Public) {
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
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		point, err := key.Bytes()
		if err != nil {
			return nil, fmt.Errorf("encode the public key: %w", err)
		}
		// 0x04, then both coordinates at full width: RFC 7518 section 6.2.1.2
		// requires the leading zeros that big.Int would drop.
		half := (len(point) - 1) / 2
		return map[string]any{
			"kty": "EC", "crv": key.Curve.Params().Name,
			"x": b64(point[1 : 1+half]), "y": b64(point[1+half:]),
		}, nil
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": b64(key.N.Bytes()), "e": b64(big.NewInt(int64(key.E)).Bytes())}, nil
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(key)}, nil
	}
	return nil, fmt.Errorf("%w: a public key of type %T can't be encoded as a JWK", ErrInput, key)
}
