package daemon

import (
	"context"
	"errors"
	"io/fs"
	"os"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// tokens is the pool as the rotation of keys sees it.
type tokens struct{ *Daemon }

var _ keyset.Tokens = tokens{}

// Refresh implements keyset.Tokens.
func (t tokens) Refresh(ctx context.Context) error {
	if err := t.pool.Refresh(ctx); err != nil {
		return err
	}
	return t.refresh()
}

// Kids implements keyset.Tokens.
func (t tokens) Kids() map[string]bool {
	kids := make(map[string]bool)
	for _, key := range t.pool.Inventory() {
		if kid, err := jwks.Thumbprint(key.Public); err == nil {
			kids[kid] = true
		}
	}
	return kids
}

// Generate implements keyset.Tokens.
func (t tokens) Generate(ctx context.Context, set keyset.Set, label string) error {
	typ, err := keyadmin.KeyType(set.Alg, set.Bits)
	if err != nil {
		return err
	}
	_, err = t.pool.Generate(ctx, hsm.Spec{Label: label, Type: typ})
	return err
}

// lastPublished are the keys that an earlier run left in jwks.file.
func (d *Daemon) lastPublished() []jwks.Key {
	if d.Config.JWKS.File == "" {
		return nil
	}
	text, err := os.ReadFile(d.Config.JWKS.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var set jwks.Set
	if err == nil {
		set, err = jwks.ParseSet(text)
	}
	if err != nil {
		d.Logger.Warn("could not read the jwks file, so keys lost since the last run go unnoticed", "error", err)
	}
	return set.Keys()
}
