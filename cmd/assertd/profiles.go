package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/signer/profile"
)

func profilesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "profiles [NAME]",
		Short: "list the assertion profiles, or show one",
		Long: "Lists every kind of receiver that a grant can have as its profile. With a name, shows what\n" +
			"that receiver wants, what to register with it, and a grant to begin with.",
		Args:              cli.Args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return profile.WriteTable(cmd.OutOrStdout())
			}
			p, ok := profile.Lookup(args[0])
			if !ok {
				return fmt.Errorf("%w: there is no profile %q; assertd profiles lists them", cli.ErrUsage, args[0])
			}
			return p.WriteProfile(cmd.OutOrStdout())
		},
	}
}
