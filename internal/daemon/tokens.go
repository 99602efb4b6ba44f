package daemon

import (
	"context"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
)

// tokens is the pool as the rotation of keys sees it.
type tokens struct{ *Daemon }

var _ keyset.Tokens = tokens{}

// Refresh implements keyset.Tokens.
func (t tokens) Refresh(ctx context.Context) error {
	if err := t.pool.Refresh(ctx); err != nil {
		return err
	}
	t.refresh()
	return nil
}

// Generate implements keyset.Tokens.
func (t tokens) Generate(ctx context.Context, set keyset.Set, label string) error {
	typ, err := keyadmin.KeyType(set.Alg, set.Bits)
	if err != nil {
		return err
	}
	_, err = t.pool.Generate(ctx, hsm.Spec{Label: label, Type: typ, Alg: set.Alg, AcceptImported: set.AcceptImported})
	return err
}
