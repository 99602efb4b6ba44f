package worker

import (
	"bytes"
	"crypto/x509"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// maxProblem is the longest problem text in the inventory, in bytes.
const maxProblem = 4 << 10

// describe describes a key with those of the token's certificates that have
// its CKA_ID.
func describe(key *hsm.Key, certificates []hsm.Certificate) wire.KeyInfo {
	k := wire.KeyInfo{Label: key.Label(), ID: key.ID(), Type: key.Type(), Custody: key.Custody()}
	if err := key.Problem(); err != nil {
		k.Problem = clip(err.Error())
	}
	if public := key.Public(); public != nil {
		if spki, err := x509.MarshalPKIXPublicKey(public); err == nil {
			k.SPKI = spki
		}
	}
	for _, c := range certificates {
		if len(c.ID) > 0 && bytes.Equal(c.ID, k.ID) {
			k.Certificates = append(k.Certificates, c.Certificate.Raw)
		}
	}
	return k
}

func clip(s string) string { return s[:min(len(s), maxProblem)] }
