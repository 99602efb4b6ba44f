package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/internal/terminal"
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
	var output cli.Output
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
			return policyTest(suite, explain, output, cmd.OutOrStdout())
		},
	}
	cmd.Flags().BoolVar(&explain, "explain", false, "for each failed case, show every rule that was checked")
	output.Register(cmd)
	return cmd
}

// tested is the result of policy test.
type tested struct {
	OK     bool         `json:"ok"`
	Suite  string       `json:"suite"`
	Config string       `json:"config"`
	Cases  int          `json:"cases"`
	Failed []failedCase `json:"failed,omitempty"`
}

type failedCase struct {
	Name        string                 `json:"name"`
	Line        int                    `json:"line"` // in the suite
	Diff        []string               `json:"diff"` // - is expected, + is what happened
	Explanation policytest.Explanation `json:"explanation,omitempty"`
}

// policyTest runs the cases, and prints the verdict and those that failed.
func policyTest(suite *policytest.Suite, explain bool, output cli.Output, out io.Writer) error {
	results := suite.Run()
	t := tested{Suite: suite.Path, Config: suite.Config, Cases: len(results)}
	for _, r := range results {
		if len(r.Diff) == 0 {
			continue
		}
		failed := failedCase{Name: r.Name, Line: r.Line, Diff: r.Diff}
		if explain {
			failed.Explanation = r.Explanation
		}
		t.Failed = append(t.Failed, failed)
	}
	t.OK = len(t.Failed) == 0
	if err := output.Print(out, t, t.print); err != nil {
		return err
	}
	if !t.OK {
		return errSilent
	}
	return nil
}

func (t tested) print(out io.Writer) error {
	if t.OK {
		_ = terminal.Paint(out, terminal.Good, "ok:") // the write below reports it
		_, err := fmt.Fprintf(out, " %s passed for %s\n", plural.Of(t.Cases, "case"), t.Config)
		return err
	}
	_ = terminal.Paint(out, terminal.Bad, fmt.Sprintf("%d of %s failed", len(t.Failed), plural.Of(t.Cases, "case"))) // as above
	_, err := fmt.Fprintf(out, " for %s\n", t.Config)
	for _, f := range t.Failed {
		_, err = fmt.Fprintf(out, "FAIL %s:%d: %s\n", t.Suite, f.Line, f.Name)
		for _, line := range f.Diff {
			fmt.Fprintf(out, "    %s\n", line)
		}
		if f.Explanation != nil {
			fmt.Fprintf(out, "\n%s%s\n", f.Explanation.Outcome(), f.Explanation.Text(true))
		}
	}
	return err
}
