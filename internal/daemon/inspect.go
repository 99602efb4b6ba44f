package daemon

import (
	"context"

	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/keyset"
)

// Inspect passes the keys on the tokens of the configuration to visit. It
// returns an error if the configuration or every token can't be used.
func Inspect(ctx context.Context, o Options, visit func(context.Context, *inspect.Inspection) error) error {
	decided, err := newDecisions(o.Config)
	if err != nil {
		return err
	}
	if _, err := o.Config.Issuers(keyset.ReadPublicKeys); err != nil {
		return err
	}
	tokens, err := poolConfig(o)
	if err != nil {
		return err
	}
	return inspect.Tokens(ctx, tokens, inspect.Expected{
		Sets: decided.sets, CheckpointKey: o.Config.Audit.CheckpointKey, Origin: o.Config.Audit.Origin, Now: o.Now,
	}, visit)
}
