package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
)

func (k *keyTool) listCommand() *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the keys on the token",
		Long: "Lists the versions of each key set: their current state, their custody, and when\n" +
			"the next change is due. Then lists keys that belong to no key set. A terminal\n" +
			"shows kids in short, except with -o wide.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				inv, err := k.inventory(cmd.Context(), a)
				if err != nil {
					return err
				}
				return output.Print(cmd.OutOrStdout(), inv.Document(), func(out io.Writer) error {
					return inv.WriteTable(out, output == cli.Wide, k.hint)
				})
			})
		},
	}
	output.RegisterWithJSON(cmd)
	return cmd
}
