package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"

	"github.com/assertd/assertd/test/litewitness"
)

// witnessed is the case with audit.sync interval and a witness, which gets a
// checkpoint each second.
const witnessed = "witness"

// ledger is the key set that signs its checkpoints.
const ledger = "ledger"

// startWitness runs a witness that knows the daemon's log, and adds it to the
// configuration.
func (d *daemon) startWitness(ctx context.Context, e env, v variant, file string, text []byte) error {
	if err := litewitness.Build(ctx, e.Dir); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(e.Dir, "w")
	if err != nil {
		return err
	}
	if d.witness, err = litewitness.New(e.Dir, dir, "witness.example"); err != nil {
		return err
	}
	origin := "bench.example/" + v.name()
	audit := fmt.Sprintf("audit: {origin: %s, quorum: 1, witnesses: [{url: %q, public_key: %q}], ", origin, d.witness.URL, d.witness.Key)
	text = bytes.Replace(text, []byte("audit: {"), []byte(audit), 1)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return err
	}
	key, err := exec.CommandContext(ctx, e.Binary, "audit", "key", "--config", file).Output()
	if err != nil {
		return fmt.Errorf("read the checkpoint key: %w", err)
	}
	if err := d.witness.Know(origin, string(bytes.TrimSpace(key))); err != nil {
		return err
	}
	return d.witness.Start(ctx)
}
