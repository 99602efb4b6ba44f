package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/jwks"
)

// errIncomplete means that a key is missing from the copy or differs.
var errIncomplete = errors.New("this copy cannot verify everything that the daemon signs now or will sign next")

// diffFlags say what to compare with.
type diffFlags struct {
	against string
	ca      caFlag
	output  cli.Output
}

func (a *app) jwksDiffCommand() *cobra.Command {
	var flags diffFlags
	cmd := &cobra.Command{
		Use:   "diff URL|FILE",
		Short: "compare a published or stored JWKS with the daemon's",
		Long: "Compares the JWKS at a URL or in a file with the daemon's. Exits with 0 if it\n" +
			"has every key of the daemon, unchanged. Extra keys are listed, but are not an\n" +
			"error.\n\n" +
			"Fetches a URL as verifiers do: no redirects, status 200, at most 1 MiB, within\n" +
			"10 seconds.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			want, err := a.keySet(cmd.Context(), flags.against)
			if err != nil {
				return err
			}
			have, err := readSet(cmd.Context(), args[0], flags.ca)
			if err != nil {
				return err
			}
			return flags.report(cmd.OutOrStdout(), jwks.Diff(have, want))
		},
	}
	cmd.Flags().StringVar(&flags.against, "jwks", "", "compare with the JWKS in this `file` (default: the daemon's)")
	flags.ca.register(cmd)
	flags.output.Register(cmd)
	return cmd
}

func (f diffFlags) report(out io.Writer, d jwks.Difference) error {
	err := f.output.Print(out, d, func(out io.Writer) error {
		_, err := io.WriteString(out, d.String())
		return err
	})
	if err == nil && !d.Complete() {
		err = errIncomplete
	}
	return err
}

// readSet reads the set at a URL or in a file.
func readSet(ctx context.Context, location string, ca caFlag) (jwks.Set, error) {
	transport, err := ca.transport()
	if err != nil {
		return jwks.Set{}, err
	}
	defer transport.CloseIdleConnections()
	return jwks.ReadSet(ctx, transport, location)
}
