package main

import (
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
)

// keyCommand is for the security team. It works directly on the HSM, in this
// process, next to any running daemons.
func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "manage the keys in the HSM",
		Long: "Works directly on the HSM, whether or not a daemon is running. Tokens and key sets\n" +
			"come from the configuration. Without one, name the token with --module and\n" +
			"--token; assertd then prompts for the PIN.",
	}
	cli.Group(cmd)
	k := &keyTool{}
	k.register(cmd)
	cmd.AddCommand(k.generateCommand(), k.listCommand(), k.showCommand(), k.csrCommand(), k.importCommand(),
		k.pruneCommand(), k.destroyCommand(), k.adoptCommand(), k.importKeyCommand(), k.tightenCommand())
	cmd.AddCommand(guesses()...)
	return cmd
}
