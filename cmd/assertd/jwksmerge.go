package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/jwks"
)

func jwksMergeCommand() *cobra.Command {
	var cacert, file string
	cmd := &cobra.Command{
		Use:   "merge URL|FILE...",
		Short: "merge the JWKS of several daemons into one",
		Long: "Prints one JWKS with the keys of all that are given, for receivers of hosts that\n" +
			"have keys of their own, as in a TPM. If one can't be read, or two disagree about\n" +
			"a key, it fails and writes nothing: receivers keep what they have.\n\n" +
			"Run it from a timer, with --file in a directory that a web server serves.",
		Args: cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			set, err := mergeSets(cmd.Context(), cacert, args)
			if err != nil {
				return err
			}
			return writeSet(cmd.OutOrStdout(), file, set)
		},
	}
	cmd.Flags().StringVar(&cacert, "cacert", "", cli.CACertUsage)
	cmd.Flags().StringVarP(&file, "file", "f", "", "`path` of a file to replace with the JWKS; default: standard output")
	return cmd
}

func mergeSets(ctx context.Context, cacert string, locations []string) (jwks.Set, error) {
	transport, err := cli.Transport(cacert)
	if err != nil {
		return jwks.Set{}, err
	}
	defer transport.CloseIdleConnections()
	var sets []jwks.Set
	for _, location := range locations {
		set, err := jwks.ReadSet(ctx, transport, location)
		if err != nil {
			return jwks.Set{}, err
		}
		sets = append(sets, set)
	}
	return jwks.Merge(sets...)
}

func writeSet(out io.Writer, file string, set jwks.Set) error {
	if file == "" {
		_, err := fmt.Fprintf(terminal.Data(out), "%s\n", set.JSON())
		return err
	}
	_, err := atomicfile.Update(file, set.JSON(), 0o644)
	return err
}
