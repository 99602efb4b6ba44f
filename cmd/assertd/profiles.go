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
		Short: "list the assertion profiles or show one",
		Long: "Lists the profiles that a grant can have, one for each kind of receiver. With a\n" +
			"name, shows what that receiver expects, what to register with it, and a grant to\n" +
			"start from.",
		Args:              cli.Args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return profile.WriteTable(cmd.OutOrStdout())
			}
			p, ok := profile.Lookup(args[0])
			if !ok {
				return fmt.Errorf("%w: no profile %q; run assertd profiles for a list", cli.ErrUsage, args[0])
			}
			return p.WriteProfile(cmd.OutOrStdout())
		},
	}
}
