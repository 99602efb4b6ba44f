package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
)

func (k *keyTool) tightenCommand() *cobra.Command {
	var confirmed []string
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "tighten KEY",
		Short: "make another tool's key pass custody, if it can",
		Long: "Makes a key that another tool generated sensitive, not extractable, and only able\n" +
			"to sign, if it passes custody then. Other programs can't decrypt, unwrap or derive\n" +
			"with it any more, and this can't be undone. Asks you to type the kid. If the key\n" +
			"could have left the token before, its custody stays imported.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			confirmed = bareKids(confirmed)
			return k.find(cmd.Context(), args[0], func(a *keyadmin.Admin, _ *keyadmin.Inventory, key keyadmin.Key) error {
				return tighten(cmd, a, key, confirmed, output)
			})
		},
	}
	cmd.Flags().StringArrayVar(&confirmed, "yes-tighten", nil, "tighten the key with this `kid` without asking, for scripts")
	output.Register(cmd)
	return cmd
}

func tighten(cmd *cobra.Command, a *keyadmin.Admin, key keyadmin.Key, confirmed []string, output cli.Output) error {
	loose := key.Pair.Loose()
	if len(loose) == 0 {
		return output.Print(cmd.OutOrStdout(), key.Document(), func(out io.Writer) error {
			_, err := fmt.Fprintf(out, "key %s has nothing to tighten\n", key.Confirmation())
			return err
		})
	}
	question := fmt.Sprintf("Of key %s (%s), %s. This changes them for good.\nType the kid to go on: ",
		key.Kid, keyadmin.Printable(key.Label), strings.Join(loose, ", "))
	if !slices.Contains(confirmed, key.Confirmation()) {
		if err := typed(cmd.Context(), question, key.Confirmation()); err != nil {
			return err
		}
	}
	tight, err := a.Tighten(key)
	if err != nil {
		return err
	}
	return output.Print(cmd.OutOrStdout(), tight.Document(), func(out io.Writer) error {
		_, err = fmt.Fprintf(out, "tightened %s (%s)\n  custody  %s\n", tight.Kid, keyadmin.Printable(tight.Label), tight.Custody())
		return err
	})
}
