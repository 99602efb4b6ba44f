package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/terminal"
)

func jwksCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "jwks",
		Short: "print the public JWKS directly from the HSM",
		Long: "Prints the public keys of every key set for assertions: the same JWKS that the\n" +
			"daemon serves now. Register it with the authorization server.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return readTokens(cmd.Context(), path, func(_ context.Context, i *inspect.Inspection) error {
				set, err := i.JWKS()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(terminal.Data(cmd.OutOrStdout()), "%s\n", set.JSON())
				return err
			})
		},
	}
	configFlag(cmd, &path)
	return cmd
}
