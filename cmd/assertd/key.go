package main

import (
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
)

// keyCommand is the security team's: it works straight on the HSM, in this
// process, beside whatever daemons run.
func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "generate, list, show, certify, prune, destroy and adopt keys on the HSM",
		Long: "Works on the keys straight on the HSM, whether or not a daemon runs. What the configuration\n" +
			"says about tokens and key sets is taken from there; a token without a configuration is named\n" +
			"with --module and --token, and its PIN is asked for.",
	}
	cli.Group(cmd)
	k := &keyTool{}
	k.register(cmd)
	cmd.AddCommand(k.generateCommand(), k.listCommand(), k.showCommand(), k.csrCommand(), k.importCommand(),
		k.pruneCommand(), k.destroyCommand(), k.adoptCommand())
	return cmd
}

// jsonFlag adds --json, for scripts.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "write JSON")
}
