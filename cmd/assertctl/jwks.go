package main

import (
	"bytes"
	"encoding/json"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
)

func (a *app) jwksCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "jwks",
		Short: "print the daemon's public keys as a JWKS",
		Args:  cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.client()
			if err != nil {
				return err
			}
			set, err := c.JWKS(cmd.Context())
			if err != nil {
				return err
			}
			var out bytes.Buffer
			if err := json.Indent(&out, set, "", "  "); err != nil {
				return err
			}
			out.WriteByte('\n')
			_, err = out.WriteTo(terminal.Data(cmd.OutOrStdout()))
			return err
		},
	}
	cmd.AddCommand(a.jwksDiffCommand())
	return cmd
}
