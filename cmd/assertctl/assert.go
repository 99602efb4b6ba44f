package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
)

func (a *app) assertCommand() *cobra.Command {
	var decode bool
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "assert",
		Short: "print a signed assertion",
		Long: "Prints a signed assertion: a credential that anyone can use until it expires.\n" +
			"With --decode, prints its header and claims instead, which are not secret.",
		Example: "  assertctl assert --audience https://as.example\n  assertctl assert --decode --claim scope=read",
		Args:    cli.Args(cobra.NoArgs),
	}
	flags := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		req, err := flags.request(cmd)
		if err != nil {
			return err
		}
		c, err := a.client()
		if err != nil {
			return err
		}
		answer, err := c.Assert(cmd.Context(), req)
		if err != nil {
			return err
		}
		if decode {
			return printDecoded(cmd.OutOrStdout(), answer.Assertion)
		}
		return output.Print(cmd.OutOrStdout(), answer, func(out io.Writer) error {
			_, err := fmt.Fprintln(out, answer.Assertion)
			return err
		})
	}
	cmd.Flags().BoolVar(&decode, "decode", false, "print the header and claims instead of the assertion")
	output.Register(cmd)
	cmd.MarkFlagsMutuallyExclusive("decode", "output")
	return cmd
}
