package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// PolicyDigest returns the SHA-256, in hex, of what decides who can have what
// signed: the clients and key sets, with every default filled in. Comments, the
// layout of the file and the settings of one host don't change it, so that
// hosts with one policy have one digest. Users and groups count by the names or
// IDs that the file has.
func (c *Config) PolicyDigest() string {
	policy, err := json.Marshal(struct {
		Keys    map[string]KeySet `json:"keys"`
		Clients []Client          `json:"clients"`
	}{c.Keys, c.Clients})
	if err != nil {
		return "" // only a value that no configuration can have
	}
	sum := sha256.Sum256(policy)
	return hex.EncodeToString(sum[:])
}
