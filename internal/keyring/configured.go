package keyring

import (
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/assertd/assertd/internal/config"
)

// FromConfig gives the key sets of a configuration by name. read gets the
// certificates that it keeps in files: ReadCertificates, or one that puts up with
// more. What read refuses is refused with the setting's name.
func FromConfig(c *config.Config, read func(path string) ([]*x509.Certificate, error)) ([]Set, error) {
	var sets []Set
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		set, err := fromConfig(c, name, read)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func fromConfig(c *config.Config, name string, read func(string) ([]*x509.Certificate, error)) (Set, error) {
	key := c.Keys[name]
	id, err := hex.DecodeString(key.ID)
	if err != nil {
		return Set{}, fmt.Errorf("keys.%s.id: %w", name, err)
	}
	set := Set{
		Name: name, Alg: string(key.Alg), Raw: key.Use == config.UseRaw, Rotation: c.Rotation(name),
		Label: key.Label, ID: id, Created: key.Adopted(),
	}
	if key.Certificate == "" {
		return set, nil
	}
	if set.Certificates, err = read(key.Certificate); err != nil {
		return Set{}, fmt.Errorf("keys.%s.certificate: %w", name, err)
	}
	return set, nil
}
