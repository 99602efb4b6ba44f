package config

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/trustpath"
)

// KeySets lists the configured key sets by name. read reads the certificate
// files that they name: keyset.ReadCertificates, or a more lenient one. An
// error names the setting.
func (c *Config) KeySets(read func(rules trustpath.Rules, path string) ([]*x509.Certificate, error)) ([]keyset.Set, error) {
	var sets []keyset.Set
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		set, err := c.keySet(name, read)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

// GrantedKeys names the key sets that grants use.
func (c *Config) GrantedKeys() []string {
	used := make(map[string]bool)
	for _, client := range c.Clients {
		for _, grant := range client.Grants {
			used[grant.Key] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

func (c *Config) keySet(name string, read func(trustpath.Rules, string) ([]*x509.Certificate, error)) (keyset.Set, error) {
	key := c.Keys[name]
	id, err := hex.DecodeString(key.ID)
	if err != nil {
		return keyset.Set{}, fmt.Errorf("keys.%s.id: %w", name, err)
	}
	set := keyset.Set{
		Name: name, Alg: string(key.Alg), Raw: key.Use == UseRaw, Kubernetes: key.Use == UseKubernetes, Rotation: c.Rotation(name), Auto: key.Rotation.Auto, Bits: key.Bits,
		Label: key.Label, ID: id, Created: key.Adopted(),
		AcceptImported: key.Accept == AcceptImported,
	}
	if key.Certificate == "" {
		return set, nil
	}
	if set.Certificates, err = read(c.Trust(), key.Certificate); err != nil {
		return keyset.Set{}, fmt.Errorf("keys.%s.certificate: %w", name, err)
	}
	return set, nil
}
