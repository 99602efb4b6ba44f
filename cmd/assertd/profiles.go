package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/signer/profile"
)

func profilesCommand() *cobra.Command {
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "profiles [NAME]",
		Short: "list the assertion profiles or show one",
		Long: "Lists the profiles that a grant can have, one for each kind of receiver. With a\n" +
			"name, shows what that receiver expects, what to register with it, and a grant to\n" +
			"start from.",
		Args:              cli.Args(cobra.MaximumNArgs(1)),
		ValidArgsFunction: cobra.FixedCompletions(profile.Names(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			out := cmd.OutOrStdout()
			if len(args) == 0 {
				return output.Print(out, profileDocuments(), func(out io.Writer) error {
					return profile.WriteTable(out, output == cli.Wide)
				})
			}
			p, ok := profile.Lookup(args[0])
			if !ok {
				return unknownProfile(args[0])
			}
			return output.Print(out, p.Document(), p.WriteProfile)
		},
	}
	output.Register(cmd)
	return cmd
}

func unknownProfile(name string) error {
	if near := spelling.Nearest(name, profile.Names()); near != "" {
		return fmt.Errorf("%w: no profile %q; did you mean %s?", cli.ErrUsage, name, near)
	}
	return fmt.Errorf("%w: no profile %q; run assertd profiles for a list", cli.ErrUsage, name)
}

func profileDocuments() (all []profile.Document) {
	for _, p := range profile.All() {
		all = append(all, p.Document())
	}
	return all
}
