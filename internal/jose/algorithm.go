package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256" // the hashes that the table names
	_ "crypto/sha512"
	"errors"
	"fmt"
	"slices"

	"filippo.io/mldsa"
)

// ErrAlgorithm is a name that is not in the table.
var ErrAlgorithm = errors.New("unknown JOSE algorithm")

// Algorithm is one signature algorithm.
type Algorithm struct {
	Name string
	Kind Kind        // of the key that it signs with
	Hash crypto.Hash // of the signing input; 0 where the message itself is signed
	// Options are what a crypto.Signer is given.
	Options crypto.SignerOpts
	// half is the width in bytes of each half of an ECDSA signature in a JWS
	// (RFC 7518 section 3.4), 0 for other algorithms.
	half int
}

// algorithms is in the order in which lists for people show it.
var algorithms = []Algorithm{
	es("ES256", P256, crypto.SHA256, 32),
	es("ES384", P384, crypto.SHA384, 48),
	es("ES512", P521, crypto.SHA512, 66),
	pss("PS256", crypto.SHA256),
	pss("PS384", crypto.SHA384),
	pss("PS512", crypto.SHA512),
	// RFC 9864 gives the signature that RFC 8037 calls EdDSA its full name.
	{Name: "EdDSA", Kind: Ed25519, Options: crypto.Hash(0)},
	{Name: "Ed25519", Kind: Ed25519, Options: crypto.Hash(0)},
	ml(MLDSA44),
	ml(MLDSA65),
	ml(MLDSA87),
	pkcs1("RS256", crypto.SHA256),
	pkcs1("RS384", crypto.SHA384),
	pkcs1("RS512", crypto.SHA512),
}

var byName = index()

func index() map[string]Algorithm {
	names := make(map[string]Algorithm, len(algorithms))
	for _, a := range algorithms {
		names[a.Name] = a
	}
	return names
}

func es(name string, kind Kind, hash crypto.Hash, half int) Algorithm {
	return Algorithm{Name: name, Kind: kind, Hash: hash, Options: hash, half: half}
}

// pss asks for a salt as long as the hash: RFC 7518 section 3.5 demands it, and
// strict verifiers refuse any other.
func pss(name string, hash crypto.Hash) Algorithm {
	return Algorithm{Name: name, Kind: RSA, Hash: hash, Options: PSS(hash)}
}

func pkcs1(name string, hash crypto.Hash) Algorithm {
	return Algorithm{Name: name, Kind: RSA, Hash: hash, Options: hash}
}

// ml is an algorithm of RFC 9964: ML-DSA over the message itself, with an empty
// context.
func ml(kind Kind) Algorithm {
	return Algorithm{Name: kind.Crv, Kind: kind, Options: crypto.Hash(0)}
}

// PSS is RSA-PSS with a salt as long as the hash.
func PSS(hash crypto.Hash) *rsa.PSSOptions {
	return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: hash}
}

// Lookup finds an algorithm by its exact name. The error is ErrAlgorithm.
func Lookup(name string) (Algorithm, error) {
	a, ok := byName[name]
	if !ok {
		return Algorithm{}, fmt.Errorf("%w %q", ErrAlgorithm, name)
	}
	return a, nil
}

// Names lists all algorithms.
func Names() []string {
	names := make([]string, 0, len(algorithms))
	for _, a := range algorithms {
		names = append(names, a.Name)
	}
	return names
}

// NamesFor lists the algorithms that keys of a kind sign with; none for the
// zero Kind.
func NamesFor(kind Kind) []string {
	var names []string
	for _, a := range algorithms {
		if a.Kind == kind {
			names = append(names, a.Name)
		}
	}
	return names
}

// Fits reports whether a public key is of the kind that the algorithm needs.
func (a Algorithm) Fits(public crypto.PublicKey) bool {
	return a.Kind == KindOf(public) && a.Kind != Kind{}
}

// PSS reports whether the algorithm pads by RSA-PSS.
func (a Algorithm) PSS() bool {
	_, ok := a.Options.(*rsa.PSSOptions)
	return ok
}

// Digest hashes a signing input, or returns it where the algorithm signs the
// message itself.
func (a Algorithm) Digest(input []byte) []byte {
	if a.Hash == 0 {
		return input
	}
	h := a.Hash.New()
	h.Write(input)
	return h.Sum(nil)
}

// Kind is the kind of a key: the kty of its JWK and, except for RSA, its crv
// (RFC 7518 section 6, RFC 8037 section 2). The kty AKP has no crv: the alg of
// the JWK is in its place (RFC 9964).
type Kind struct{ Kty, Crv string }

// The kinds of keys that assertd uses.
var (
	P256    = Kind{"EC", "P-256"}
	P384    = Kind{"EC", "P-384"}
	P521    = Kind{"EC", "P-521"}
	RSA     = Kind{Kty: "RSA"}
	Ed25519 = Kind{"OKP", "Ed25519"}
	MLDSA44 = Kind{"AKP", "ML-DSA-44"}
	MLDSA65 = Kind{"AKP", "ML-DSA-65"}
	MLDSA87 = Kind{"AKP", "ML-DSA-87"}
)

// SignsMessages reports whether keys of the kind sign the message itself and
// take no hash.
func (k Kind) SignsMessages() bool { return k == Ed25519 || k.Kty == "AKP" }

// Parameters are the parameters of an ML-DSA kind (FIPS 204 section 4); ok is
// false for the others.
func (k Kind) Parameters() (parameters mldsa.Parameters, ok bool) {
	switch k {
	case MLDSA44:
		return mldsa.MLDSA44(), true
	case MLDSA65:
		return mldsa.MLDSA65(), true
	case MLDSA87:
		return mldsa.MLDSA87(), true
	}
	return parameters, false
}

// KindOf gives the kind of a public key, the zero Kind for one that assertd
// doesn't use.
func KindOf(public crypto.PublicKey) Kind {
	switch key := public.(type) {
	case *ecdsa.PublicKey:
		if key != nil {
			return kindOfCurve(key.Curve)
		}
	case *rsa.PublicKey:
		if key != nil {
			return RSA
		}
	case ed25519.PublicKey:
		if len(key) == ed25519.PublicKeySize {
			return Ed25519
		}
	case *mldsa.PublicKey:
		if key != nil {
			return Kind{"AKP", key.Parameters().String()}
		}
	}
	return Kind{}
}

func kindOfCurve(curve elliptic.Curve) Kind {
	for _, kind := range []Kind{P256, P384, P521} {
		if curve == kind.Curve() {
			return kind
		}
	}
	return Kind{}
}

// Curve is the curve of an EC kind, nil for the others.
func (k Kind) Curve() elliptic.Curve {
	switch k {
	case P256:
		return elliptic.P256()
	case P384:
		return elliptic.P384()
	case P521:
		return elliptic.P521()
	}
	return nil
}

// HashNone names no hash at all: what is signed is the message itself, as
// Ed25519 (RFC 8032) and ML-DSA (FIPS 204) take it.
const HashNone = "none"

// hashes are those that algorithms and raw signatures use.
var hashes = []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512}

// HashByName finds a hash by the name that raw signatures use: SHA-256,
// SHA-384, SHA-512 or none, which is 0.
func HashByName(name string) (hash crypto.Hash, ok bool) {
	if name == HashNone {
		return 0, true
	}
	for _, hash := range hashes {
		if hash.String() == name {
			return hash, true
		}
	}
	return 0, false
}

// HashName is the name of the algorithm's hash, as HashByName reads it.
func (a Algorithm) HashName() string {
	if a.Hash == 0 {
		return HashNone
	}
	return a.Hash.String()
}

// KnownHash reports whether any algorithm or raw signature uses the hash.
func KnownHash(hash crypto.Hash) bool { return slices.Contains(hashes, hash) }
