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
		issuer := keyset.Issuer{URL: l.Kubernetes.Issuer, Set: l.Kubernetes.Key}
		for j, static := range l.Kubernetes.AlsoPublish {
			keys, err := read(c.Trust(), static.File)
			if err != nil {
				return nil, fmt.Errorf("%s.file: %w", strictyaml.Item(strictyaml.Item("listen", i)+".kubernetes.also_publish", j), err)
			}
			for _, key := range keys {
				issuer.Static = append(issuer.Static, keyset.StaticKey{Key: key, Until: static.End()})
			}
		}
		issuers[l.Socket] = issuer
	}
	return issuers, nil
}
