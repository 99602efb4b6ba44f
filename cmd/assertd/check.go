package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/progress"
	"github.com/assertd/assertd/internal/sandbox"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

func checkCommand() *cobra.Command {
	var from tokens
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "check",
		Short: "check a configuration and its keys",
		Long: "Reads the configuration, checks who can change the files that it names, opens the\n" +
			"HSM, checks the custody of every key, and makes and verifies one signature with\n" +
			"each. Exits with 0 only if all checks pass.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			report, err := from.check(cmd.Context(), c, cmd.ErrOrStderr())
			if err != nil {
				return errors.Join(err, report.pathProblems())
			}
			if err := output.Print(cmd.OutOrStdout(), report, report.printer(output == cli.Wide)); err != nil {
				return err
			}
			if !report.OK {
				return errSilent
			}
			return nil
		},
	}
	from.register(cmd)
	output.Register(cmd)
	return cmd
}

// checked is the result of check.
type checked struct {
	OK       bool              `json:"ok"`
	Config   string            `json:"config"`
	Problems []string          `json:"problems,omitempty"`
	Warnings []string          `json:"warnings,omitempty"`
	Keys     []checkedKey      `json:"keys"`
	Notes    []string          `json:"notes,omitempty"`
	Sandbox  ipc.SandboxStatus `json:"sandbox"`

	paths []error
}

// checkedKey is a key pair that belongs to a key set.
type checkedKey struct {
	Set       string `json:"key_set"`
	Label     string `json:"label"`
	Kid       string `json:"kid,omitempty"`
	Alg       string `json:"alg,omitempty"`
	State     string `json:"state,omitempty"`
	Custody   string `json:"custody"`             // ok or refused
	Signature string `json:"signature,omitempty"` // verified or failed, and empty if the daemon doesn't use the key
}

// check checks a configuration. The error is one that kept it from reading the
// tokens.
func (t *tokens) check(ctx context.Context, c *config.Config, stderr io.Writer) (checked, error) {
	report := checked{Config: t.path, Keys: []checkedKey{}, Sandbox: sandbox.Status(c)}
	report.Warnings, report.paths = checkPaths(c)
	for _, err := range report.paths {
		report.Problems = append(report.Problems, err.Error())
	}
	err := t.read(ctx, c, stderr, func(ctx context.Context, i *inspect.Inspection) error {
		bar := progress.Show(ctx, stderr, progress.Task{Name: "checking keys"})
		defer bar.Stop()
		for n, f := range i.Findings {
			bar.Set(int64(n), int64(len(i.Findings)))
			key, err := checkKey(ctx, i, f)
			report.Keys = append(report.Keys, key)
			report.addProblem(err)
		}
		report.addProblem(i.Missing())
		report.Notes = append(i.Notes(), c.Notes(now())...)
		return ctx.Err()
	})
	report.addProblem(checkStore(ctx, c))
	report.OK = len(report.Problems) == 0
	return report, err
}

// addProblem adds an error, or each of several that are joined.
func (r *checked) addProblem(err error) {
	if err != nil {
		r.Problems = append(r.Problems, strings.Split(err.Error(), "\n")...)
	}
}

func (r *checked) pathProblems() error { return errors.Join(r.paths...) }

// printer prints the verdict first.
func (r *checked) printer(wide bool) func(io.Writer) error {
	return func(out io.Writer) error {
		r.printVerdict(out)
		table := terminal.NewTable("KEY SET", "LABEL", "KID", "ALG", "STATE", "CUSTODY", "SIGNATURE")
		table.Wide, table.Spare = wide, []string{"LABEL", "ALG"}
		for _, k := range r.Keys {
			table.Row(k.Set, k.Label, terminal.Kid(k.Kid), terminal.Dash(k.Alg), terminal.Dash(k.State),
				verdictCell(k.Custody, "refused"), verdictCell(k.Signature, "failed"))
		}
		if table.Len() > 0 {
			fmt.Fprintln(out)
		}
		if err := table.Write(out); err != nil {
			return err
		}
		// A key's label comes from the token, so a note is quoted if it could
		// control the terminal.
		for n, note := range r.Notes {
			if n == 0 {
				fmt.Fprintln(out)
			}
			fmt.Fprintln(out, keyadmin.Printable(note))
		}
		fmt.Fprintln(out, "\nsandbox:", r.Sandbox)
		for _, warning := range r.Sandbox.Warnings {
			fmt.Fprintln(out, "  warning:", warning)
		}
		return nil
	}
}

func (r *checked) printVerdict(out io.Writer) {
	color, verdict := terminal.Good, "all checks passed"
	if !r.OK {
		color, verdict = terminal.Bad, plural.Of(len(r.Problems), "problem")+"; fix "+plural.Verb(len(r.Problems), "it", "them")+" before the daemon can use everything"
	}
	fmt.Fprintf(out, "%s: ", r.Config)
	_ = terminal.Paint(out, color, verdict) // the writes below report it
	fmt.Fprintln(out)
	for _, problem := range r.Problems {
		fmt.Fprintf(out, "  %s\n", problem)
	}
	for _, warning := range r.Warnings {
		_ = terminal.Paint(out, terminal.Warn, "  warning, accepted:") // as above
		fmt.Fprintf(out, " %s\n", warning)
	}
}

// verdictCell is a cell that stands out if it has the bad word.
func verdictCell(text, bad string) terminal.Cell {
	cell := terminal.Cell{Text: terminal.Dash(text)}
	if text == bad {
		cell.Color = terminal.Bad
	}
	return cell
}

// checkKey checks a key pair. Its error says why the key does not sign although
// the daemon would use it.
func checkKey(ctx context.Context, i *inspect.Inspection, f keyset.Finding) (key checkedKey, err error) {
	key = checkedKey{Set: f.Set, Label: keyadmin.Printable(f.Label), Custody: "ok", Signature: "verified"}
	if f.Err != nil && !f.Revoked { // Missing reports the reason
		key.Custody, key.Signature = "refused", ""
		return key, nil
	}
	key.Kid, key.Alg, key.State = f.Version.Kid, f.Key.Alg, state(i, f)
	switch {
	case f.Err != nil:
		key.Custody, key.Signature = "refused", ""
	case f.Revoked: // the daemon will not use it
		key.Signature = ""
	default:
		if err = i.Prove(ctx, f.Key); err != nil {
			key.Signature, err = "failed", fmt.Errorf("%s: %w", key.Label, err)
		}
	}
	return key, err
}

// state is the current state of a version, if known.
func state(i *inspect.Inspection, f keyset.Finding) string {
	plan, _ := i.Ring.Plan(f.Set)
	for _, v := range plan.Versions {
		if v.Kid == f.Version.Kid {
			return string(v.State)
		}
	}
	return ""
}
