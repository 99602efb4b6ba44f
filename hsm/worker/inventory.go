package worker

import (
	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// maxProblem is the longest problem text in the inventory, in bytes.
const maxProblem = 4 << 10

// describe describes a key with the certificates that have its CKA_ID.
func describe(key *hsm.Key, certificates [][]byte) wire.KeyInfo {
	k := wire.KeyInfo{Label: key.Label(), ID: key.ID(), Type: key.Type(), Custody: key.Custody(), Certificates: certificates}
	k.SPKI, k.Hashes = key.SPKI(), key.WantsMessage()
	k.Excuses, k.Imported = key.Excuses(), key.Imported()
	if err := key.Problem(); err != nil {
		k.Problem = clip(err.Error())
	}
	return k
}

// byID is the certificates' DER by CKA_ID. One without an ID belongs to no key.
func byID(certificates []hsm.Certificate) map[string][][]byte {
	all := map[string][][]byte{}
	for _, c := range certificates {
		if id := string(c.ID); id != "" {
			all[id] = append(all[id], c.Certificate.Raw)
		}
	}
	return all
}

func clip(s string) string { return s[:min(len(s), maxProblem)] }
