package keyset

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// Issuer is an issuer of Kubernetes tokens, whose keys are published for it
// only.
type Issuer struct {
	URL    string
	Set    string      // the key set that signs
	Static []StaticKey // keys that signed before, and are on no token
}

// StaticKey is a public key that is published until a moment.
type StaticKey struct {
	jwks.Key
	Until time.Time
}

// IssuerKeys returns the keys that verify an issuer's tokens now, and when that
// changes next (zero for never). A static key may be a version of the key set
// too: it is published once, and not if the version is revoked. It fails with
// ErrUnread if the key set has none because a token has not been read:
// kube-apiserver would refuse its tokens.
func (r *Ring) IssuerKeys(issuer Issuer) (jwks.Set, time.Time, error) {
	keys, next := r.Published(issuer.Set)
	if len(keys) == 0 && len(r.held.Unread) > 0 {
		return jwks.Set{}, next, fmt.Errorf("%w: token %s", ErrUnread, strings.Join(r.held.Unread, ", "))
	}
	now, plan := r.now(), Plan{}
	if e := r.sets[issuer.Set]; e != nil {
		plan = e.current(now).Plan
	}
	for _, static := range issuer.Static {
		own := stateOf(plan, static.Kid)
		if !own.InJWKS() && own != Revoked && now.Before(static.Until) {
			keys, next = append(keys, static.Key), earlier(next, static.Until)
		}
	}
	set, err := jwks.NewSet(keys)
	return set, next, err
}

// maxPublicKeyFile is the size limit of a file with public keys, in bytes.
const maxPublicKeyFile = 1 << 20

// ErrPublicKeys is the kind of every problem with a file of public keys.
var ErrPublicKeys = errors.New("public keys refused")

// ReadPublicKeys reads a PEM file of at least one public key and nothing else,
// such as the one that kube-apiserver's --service-account-key-file names. Each
// gets the kid that kube-apiserver gives it. A private key in the file is
// refused: anyone who has it can forge tokens. So is a file that others can
// change.
func ReadPublicKeys(rules trustpath.Rules, path string) ([]jwks.Key, error) {
	text, err := rules.Read(path, trustpath.File, maxPublicKeyFile)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrPublicKeys, err)
	}
	keys, err := parsePublicKeys(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrPublicKeys, path, err)
	}
	return keys, nil
}

func parsePublicKeys(text []byte) (keys []jwks.Key, err error) {
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		key, err := parsePublicKey(block)
		if err != nil {
			return nil, err
		}
		keys, text = append(keys, key), rest
	}
	if len(keys) == 0 || len(strings.TrimSpace(string(text))) > 0 {
		return nil, errors.New("it is not a PEM file of public keys; leave only PUBLIC KEY blocks")
	}
	_, err = jwks.NewSet(keys)
	return keys, err
}

func parsePublicKey(block *pem.Block) (key jwks.Key, err error) {
	switch {
	case block.Type == "PUBLIC KEY":
		key.Public, err = x509.ParsePKIXPublicKey(block.Bytes)
	case block.Type == "RSA PUBLIC KEY":
		key.Public, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case strings.Contains(block.Type, "PRIVATE KEY"):
		err = errors.New("it contains a private key; list the public key, as openssl pkey -pubout prints it")
	default:
		err = fmt.Errorf("it contains a %s block; leave only PUBLIC KEY blocks", block.Type)
	}
	if err != nil {
		return jwks.Key{}, err
	}
	if key.Alg, err = kubernetesAlgorithm(key.Public); err != nil {
		return jwks.Key{}, err
	}
	key.Kid, err = KubernetesKid(key.Public)
	return key, err
}

// kubernetesAlgorithm is the one algorithm that Kubernetes uses a key with.
func kubernetesAlgorithm(public crypto.PublicKey) (string, error) {
	switch public.(type) {
	case *rsa.PublicKey:
		return "RS256", nil
	case *ecdsa.PublicKey:
		for _, name := range []string{"ES256", "ES384", "ES512"} {
			if a, err := jose.Lookup(name); err == nil && a.Fits(public) {
				return name, nil
			}
		}
	}
	return "", errors.New("it contains a key that Kubernetes has no algorithm for; only RSA, P-256, P-384 and P-521 keys sign its tokens")
}

// KubernetesKid is the kid that kube-apiserver gives a public key in a file:
// the SHA-256 of the key's SubjectPublicKeyInfo, in base64url. With key files
// it looks for no other kid, so the versions of a key set for Kubernetes have
// it too: control plane nodes that don't use assertd yet, or no longer, verify
// tokens of those that do (staticPublicKeysGetter in
// pkg/serviceaccount/jwt.go).
func KubernetesKid(public crypto.PublicKey) (string, error) {
	sum, err := jose.Fingerprint(public)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}
