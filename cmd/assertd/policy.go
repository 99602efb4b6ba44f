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
		Short: "test a configuration's policy",
	}
	cli.Group(cmd)
	cmd.AddCommand(policyTestCommand())
	return cmd
}

func policyTestCommand() *cobra.Command {
	var explain bool
	cmd := &cobra.Command{
		Use:   "test FILE",
		Short: "run test cases against a configuration",
		Long: "Runs the test cases in FILE against the configuration that FILE names, without an HSM. Each case\n" +
			"says who asks, for what, and what must happen; see docs/policy.md for the format. If a case\n" +
			"fails, prints what was expected (-) and what happened (+), and exits with status 1.",
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
	cmd.Flags().BoolVar(&explain, "explain", false, "for each failed case, show every rule that was checked")
	return cmd
}

// policyTest runs the cases, and prints those that failed and a summary.
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
		fmt.Fprintf(out, "%d of %d cases failed for %s\n", failed, len(results), suite.Config)
		return errSilent
	}
	fmt.Fprintf(out, "ok: %d cases passed for %s\n", len(results), suite.Config)
	return nil
}
