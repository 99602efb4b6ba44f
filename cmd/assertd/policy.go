package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/policytest"
)

func policyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "work on the policy of a configuration",
	}
	cli.Group(cmd)
	cmd.AddCommand(policyTestCommand())
	return cmd
}

func policyTestCommand() *cobra.Command {
	var explain bool
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "hold a configuration to a file of cases",
		Long: "Runs the cases of FILE against the configuration that it names, without an HSM. Each says who\n" +
			"asks, for what, and what must come of it; docs/policy.md describes the file. Where a case does\n" +
			"not hold, prints what was expected (-) and what is (+), and exits with 1.",
		Example: "  assertd policy test examples/policy/cases.yaml",
		Args:    cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			suite, err := policytest.Load(args[0])
			if err != nil {
				return err
			}
			return policyTest(suite, explain, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "show every rule that was looked at in a case that does not hold")
	return cmd
}

// policyTest runs the cases and prints those that do not hold, and how many do.
func policyTest(suite *policytest.Suite, explain bool, out io.Writer) error {
	results := suite.Run()
	failed := 0
	for _, r := range results {
		if len(r.Diff) == 0 {
			continue
		}
		failed++
		fmt.Fprintf(out, "FAIL %s:%d: %s\n", suite.Path, r.Line, r.Name)
		for _, line := range r.Diff {
			fmt.Fprintf(out, "    %s\n", line)
		}
		if explain && r.Explanation != nil {
			fmt.Fprintf(out, "\n%s\n", r.Explanation.Text())
		}
	}
	if failed > 0 {
		fmt.Fprintf(out, "%d of %d cases do not hold for %s\n", failed, len(results), suite.Config)
		return errSilent
	}
	fmt.Fprintf(out, "ok: %d cases hold for %s\n", len(results), suite.Config)
	return nil
}
