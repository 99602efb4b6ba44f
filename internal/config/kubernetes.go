package config

import (
	"fmt"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
)

// Issuers are the issuers of Kubernetes tokens, by socket. read reads the files
// of public keys that they name: keyset.ReadPublicKeys. An error names the
// setting.
func (c *Config) Issuers(read func(trustpath.Rules, string) ([]jwks.Key, error)) (map[string]keyset.Issuer, error) {
	issuers := make(map[string]keyset.Issuer)
	for i, l := range c.Listen {
		if l.Kubernetes == nil {
			continue
		}
		static, err := c.staticKeys(strictyaml.Item("listen", i)+".kubernetes.also_publish", l.Kubernetes.AlsoPublish, read)
		if err != nil {
			return nil, err
		}
		issuers[l.Socket] = keyset.Issuer{URL: l.Kubernetes.Issuer, Set: l.Kubernetes.Key, Static: static}
	}
	return issuers, nil
}

// staticKeys refuses a key that two files have: it could have two ends.
func (c *Config) staticKeys(path string, files []StaticKey, read func(trustpath.Rules, string) ([]jwks.Key, error)) (all []keyset.StaticKey, err error) {
	first := make(map[string]string) // the setting with the kid
	for i, file := range files {
		setting := strictyaml.Item(path, i) + ".file"
		keys, err := read(c.Trust(), file.File)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", setting, err)
		}
		for _, key := range keys {
			if other, taken := first[key.Kid]; taken {
				return nil, fmt.Errorf("%s: %w: %s has the key %s too; leave it in one of the files", setting, keyset.ErrPublicKeys, other, key.Kid)
			}
			first[key.Kid] = setting
			all = append(all, keyset.StaticKey{Key: key, Until: file.End()})
		}
	}
	return all, nil
}
