package keyring

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/assertd/assertd/internal/config"
)

// FromConfig gives the key sets of a configuration by name, with the
// certificates that it keeps in files. A file that can't be read, or holds
// anything but certificates, is refused with the setting's name.
func FromConfig(c *config.Config) ([]Set, error) {
	var sets []Set
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		set, err := fromConfig(c, name)
		if err != nil {
			return nil, err
		}
		sets = append(sets, set)
	}
	return sets, nil
}

func fromConfig(c *config.Config, name string) (Set, error) {
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
	if set.Certificates, err = ReadCertificates(key.Certificate); err != nil {
		return Set{}, fmt.Errorf("keys.%s.certificate: %w", name, err)
	}
	return set, nil
}
