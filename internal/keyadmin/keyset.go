package keyadmin

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// KeySet is a key set with the type of the keys to generate for it.
type KeySet struct {
	keyset.Set
	Type hsm.KeyType
	// CertificateFile is keys.*.certificate; empty if not set.
	CertificateFile string
}

// readIfExists treats a missing certificate file as empty, since import-cert
// creates it.
func readIfExists(rules trustpath.Rules, path string) ([]*x509.Certificate, error) {
	certificates, err := keyset.ReadCertificates(rules, path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return certificates, err
}

// Configured returns the key sets of a configuration.
func Configured(c *config.Config) ([]KeySet, error) {
	sets, err := c.KeySets(readIfExists)
	if err != nil {
		return nil, err
	}
	var all []KeySet
	for _, set := range sets {
		key := c.Keys[set.Name]
		typ, err := KeyType(set.Alg, key.Bits)
		if err != nil {
			return nil, fmt.Errorf("keys.%s: %w", set.Name, err)
		}
		all = append(all, KeySet{Set: set, Type: typ, CertificateFile: key.Certificate})
	}
	return all, nil
}

// Unconfigured returns a key set with only a name and an algorithm, for a token
// that has no configuration yet.
func Unconfigured(name, alg string, bits int) (KeySet, error) {
	if err := jwks.CheckSetName(name); err != nil {
		return KeySet{}, err
	}
	typ, err := KeyType(alg, bits)
	return KeySet{Set: keyset.Set{Name: name, Alg: alg}, Type: typ}, err
}
