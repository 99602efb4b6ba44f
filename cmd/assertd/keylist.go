package main

import (
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
)

func (k *keyTool) listCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list the versions of every key set, and the other keys on the token",
		Long: "Lists what is on the token: each key set's versions with their state at this moment, how the\n" +
			"token holds them, and what happens to them next and when; then keys of no key set.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				inv, err := a.Inventory()
				if err != nil {
					return err
				}
				if asJSON {
					return printJSON(cmd.OutOrStdout(), inv.Document())
				}
				return inv.WriteTable(cmd.OutOrStdout())
			})
		},
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}
