package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/daemon"
)

func jwksCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "jwks",
		Short: "print the public JWKS, to register with the authorization server",
		Long: "Prints the public keys of every key set for assertions, straight from the HSM:\n" +
			"the same set that the daemon serves at this moment.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return inspect(cmd.Context(), path, func(_ context.Context, i *daemon.Inspection) error {
				set, err := i.JWKS()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", set.JSON())
				return err
			})
		},
	}
	configFlag(cmd, &path)
	return cmd
}
