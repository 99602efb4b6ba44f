package config

import (
	"path/filepath"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/strictyaml"
)

// witnesses checks what shows a rollback of the audit log: its anchor and its
// witnesses.
func (c *checker) witnesses() {
	a := c.Audit
	if a.CheckpointKey == "" && a.Anchor != "" {
		c.fault("audit.anchor", "anchor keeps signed checkpoints, but there is no checkpoint_key; add checkpoint_key, or remove anchor")
	}
	if a.Anchor != "" && filepath.Dir(a.Anchor) == filepath.Dir(a.File) {
		c.fault("audit.anchor", "the anchor is in the directory of the log, so an older copy of the directory replaces both; put it on another file system")
	}
	if len(a.Witnesses) == 0 {
		c.unwitnessed()
		return
	}
	c.cosigners()
	k, ok := c.Keys[a.CheckpointKey]
	switch {
	case a.CheckpointKey == "":
		c.fault("audit.witnesses", "witnesses cosign signed checkpoints, but there is no checkpoint_key; add checkpoint_key, or remove witnesses")
	case ok && k.Alg.kind() == jose.P256:
		c.fault("audit.checkpoint_key", "key set %s has alg: %s, which witnesses don't accept; use EdDSA", strictyaml.Quote(a.CheckpointKey), k.Alg)
	}
	if a.Origin == DefaultOrigin {
		c.fault("audit.origin", "a witness needs a unique name for the log; add origin, such as origin: example.com/assertd/host1")
	}
	if a.Quorum == 0 || a.Quorum > len(a.Witnesses) {
		c.fault("audit.quorum", "quorum is %d, but there are %d witnesses; set quorum to how many of them must cosign", a.Quorum, len(a.Witnesses))
	}
}

// DefaultOrigin is the name of a log that has no witnesses.
const DefaultOrigin = "assertd/audit"

func (c *checker) unwitnessed() {
	if c.Audit.Quorum != 0 {
		c.fault("audit.quorum", "quorum requires witnesses, which are not set; add witnesses, or remove quorum")
	}
	if c.Audit.QuorumRequired {
		c.fault("audit.quorum_required", "quorum_required requires witnesses, which are not set; add witnesses, or remove quorum_required")
	}
}

// cosigners refuses a witness that would count twice.
func (c *checker) cosigners() {
	seen := make(map[string]int)
	for i, w := range c.Audit.Witnesses {
		if first, ok := seen[w.PublicKey]; ok {
			c.fault(strictyaml.Item("audit.witnesses", i)+".public_key", "%s has the same key; a witness counts only once", strictyaml.Item("audit.witnesses", first))
			continue
		}
		seen[w.PublicKey] = i
	}
}
