package main

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/torchwood"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/cli"
)

// A key that is on the command line and in a file must count once for the
// quorum, and must not make its signatures ambiguous.
func TestAWitnessThatIsGivenTwiceCountsOnce(t *testing.T) {
	signer, err := torchwood.NewCosignatureSigner("one.example/w", ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize)))
	if err != nil {
		t.Fatal(err)
	}
	key := signer.Verifier().String()
	file := filepath.Join(t.TempDir(), "witnesses")
	if err := os.WriteFile(file, []byte("# ours\n"+key+"\n"+key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var o audit.VerifyOptions
	twice := witnessFlags{keys: []string{key, file}}
	if err := twice.require(&o); err != nil || len(o.Witnesses) != 1 || o.Quorum != 1 {
		t.Errorf("%d witnesses, quorum %d: %v", len(o.Witnesses), o.Quorum, err)
	}
	twice.quorum = 2
	if err := twice.require(&o); !errors.Is(err, cli.ErrUsage) {
		t.Errorf("quorum 2: error %v", err)
	}
}
