package main

import (
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/terminal"
)

func (k *keyTool) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the keys on the token",
		Long: "Lists the versions of each key set: their current state, their custody, and when\n" +
			"the next change is due. Then lists keys that belong to no key set.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				inv, err := a.Inventory()
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(terminal.Data(cmd.OutOrStdout()), inv.Document())
				}
				return inv.WriteTable(cmd.OutOrStdout())
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
