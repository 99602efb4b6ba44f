package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
)

// guesses are commands that people try and that don't exist, since the work is
// done elsewhere. They say where.
func guesses() []*cobra.Command {
	return []*cobra.Command{
		guess("rotate [KEYSET]", "say how to rotate a key set", func(set string) error {
			return fmt.Errorf("a key set rotates when it gets its next version; run assertd key generate %s, "+
				"or set rotation.auto and the daemon does it", or(set, "KEYSET"))
		}),
		guess("revoke [KID]", "say how to revoke a version", func(kid string) error {
			return fmt.Errorf("the configuration revokes versions; add %s to rotation.revoke of its key set, and run assertctl reload. "+
				"Then assertd key destroy %[1]s destroys it", or(kid, "KID"))
		}),
	}
}

func guess(use, short string, advice func(name string) error) *cobra.Command {
	return &cobra.Command{
		Use:    use,
		Short:  short,
		Hidden: true,
		Args:   cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{""}
			}
			return fmt.Errorf("%w: %w", cli.ErrUsage, advice(bareKids(args)[0]))
		},
	}
}

func or(name, placeholder string) string {
	if name == "" {
		return placeholder
	}
	return name
}
