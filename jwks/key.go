package jwks

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assertd/assertd/internal/jose"
)

// MaxKid is the longest kid in bytes, which is also kube-apiserver's limit.
const MaxKid = 1024

// Key is the public half of one version, as a receiver sees it.
type Key struct {
	Kid    string           // RFC 7638 thumbprint, or the kid that a receiver assigned; 1 to MaxKid bytes
	Alg    string           // the JOSE algorithm it signs with; must fit Public
	Public crypto.PublicKey // *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey or *mldsa.PublicKey
	// Certificates is the chain published as x5c: the first for Public, and
	// each next one the issuer of the one before (RFC 7517 section 4.7). It can
	// be empty.
	Certificates []*x509.Certificate
}

// Algorithms returns the JOSE algorithms that a public key can verify (RFC 7518
// section 3.1, RFC 8037 section 3.1, RFC 9864, RFC 9964), or none if it is
// unsupported.
func Algorithms(public crypto.PublicKey) []string {
	key, err := encodePublic(public)
	if err != nil {
		return nil
	}
	return key.algorithms()
}

func (k jwk) algorithms() []string { return jose.NamesFor(k.kind()) }

// encode checks the whole key and returns its wire form.
func (k Key) encode() (jwk, error) {
	wire, err := encodePublic(k.Public)
	if err != nil {
		return jwk{}, err
	}
	if err := checkKid(k.Kid); err != nil {
		return jwk{}, err
	}
	if err := checkStrength(k.Public); err != nil {
		return jwk{}, err
	}
	if fitting := wire.algorithms(); !slices.Contains(fitting, k.Alg) {
		return jwk{}, fmt.Errorf("%w: %q; this key can sign %s", ErrAlgorithm, k.Alg, strings.Join(fitting, ", "))
	}
	wire.Kid, wire.Use, wire.Alg = k.Kid, "sig", k.Alg
	return wire.withCertificates(k)
}

func checkKid(kid string) error {
	switch {
	case kid == "":
		return fmt.Errorf("%w: empty; use the thumbprint", ErrKid)
	case len(kid) > MaxKid:
		return fmt.Errorf("%w: %d bytes; the maximum is %d", ErrKid, len(kid), MaxKid)
	case !utf8.ValidString(kid) || strings.ContainsFunc(kid, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("%w: it has characters that can't be printed", ErrKid)
	}
	return nil
}

func checkStrength(public crypto.PublicKey) error {
	key, isRSA := public.(*rsa.PublicKey)
	if !isRSA {
		return nil
	}
	switch bits := key.N.BitLen(); {
	case bits < MinRSABits:
		return fmt.Errorf("%w: RSA-%d; the minimum is %d bits", ErrWeakKey, bits, MinRSABits)
	case bits > MaxRSABits:
		return fmt.Errorf("%w: RSA-%d; the maximum is %d bits", ErrUnsupportedKey, bits, MaxRSABits)
	}
	return nil
}
