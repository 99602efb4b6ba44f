package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/progress"
	"github.com/assertd/assertd/internal/sandbox"
)

func checkCommand() *cobra.Command {
	var path, user string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "check a configuration and its keys",
		Long: "Reads the configuration, checks who can change the files that it names, opens the\n" +
			"HSM, checks the custody of every key, and makes and verifies one signature with\n" +
			"each. Exits with 0 only if all checks pass.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadFor(path, user)
			if err != nil {
				return err
			}
			return check(cmd.Context(), c, path, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	configFlag(cmd, &path)
	cmd.Flags().StringVar(&user, "user", "", "`user` that the daemon runs as, if it is another one than this")
	return cmd
}

// readTokens opens the HSM of the configuration at path and calls do.
func readTokens(ctx context.Context, path string, do func(context.Context, *inspect.Inspection) error) error {
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	return readTokensOf(ctx, c, do)
}

// readTokensOf opens the HSM in workers that are left with as little as the
// daemon's, except that files are not confined.
func readTokensOf(ctx context.Context, c *config.Config, do func(context.Context, *inspect.Inspection) error) error {
	module, err := sandbox.ModuleOf(c)
	if err != nil {
		return err
	}
	return daemon.Inspect(ctx, daemon.Options{
		Config: c, Logger: hclog.NewNullLogger(), WorkerCommand: confinement{module: module}.workerCommand(), Now: now,
	}, do)
}

func check(ctx context.Context, c *config.Config, path string, out, stderr io.Writer) error {
	refused := checkPaths(c, out)
	err := readTokensOf(ctx, c, func(ctx context.Context, i *inspect.Inspection) error {
		problems := errors.Join(checkKeys(ctx, i, out, stderr), i.Missing())
		printNotes(out, append(i.Notes(), c.Notes()...))
		printSandbox(out, c)
		if problems != nil {
			fmt.Fprintf(out, "\n%v\n", problems)
			return errSilent
		}
		return nil
	})
	if err != nil {
		return err
	}
	if refused {
		return errSilent
	}
	fmt.Fprintf(out, "\n%s: all checks passed\n", path)
	return nil
}

// printSandbox prints what confines a module on this machine, if this user
// starts the daemon.
func printSandbox(out io.Writer, c *config.Config) {
	s := sandbox.Status(c)
	fmt.Fprintln(out, "\nsandbox:", s)
	for _, warning := range s.Warnings {
		fmt.Fprintln(out, "  warning:", warning)
	}
}

// printNotes prints what the keys' table has no place for. A key's label comes
// from the token, so a note is quoted if it could control the terminal.
func printNotes(out io.Writer, notes []string) {
	for n, note := range notes {
		if n == 0 {
			fmt.Fprintln(out)
		}
		fmt.Fprintln(out, keyadmin.Printable(note))
	}
}

// checkKeys prints a row for every key pair of a key set. Its error lists the
// keys that do not sign although the daemon would use them.
func checkKeys(ctx context.Context, i *inspect.Inspection, out, stderr io.Writer) error {
	bar := progress.Show(ctx, stderr, progress.Task{Name: "checking keys"})
	defer bar.Stop()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "KEY SET\tLABEL\tKID\tALG\tSTATE\tCUSTODY\tSIGNATURE")
	var problems []error
	for n, f := range i.Findings {
		bar.Set(int64(n), int64(len(i.Findings)))
		row, err := checkRow(ctx, i, f)
		fmt.Fprintln(table, row)
		problems = append(problems, err)
	}
	bar.Stop()
	return errors.Join(append(problems, table.Flush())...)
}

func checkRow(ctx context.Context, i *inspect.Inspection, f keyset.Finding) (row string, err error) {
	label, custody, signature := keyadmin.Printable(f.Label), "ok", "verified"
	switch {
	case f.Err != nil && !f.Revoked: // Missing reports the reason
		return fmt.Sprintf("%s\t%s\t-\t-\t-\trefused\t-", f.Set, label), nil
	case f.Err != nil:
		custody, signature = "refused", "-"
	case f.Revoked: // the daemon will not use it
		signature = "-"
	default:
		if err = i.Prove(ctx, f.Key); err != nil {
			signature, err = "failed", fmt.Errorf("%s: %w", label, err)
		}
	}
	return fmt.Sprintf("%s\t%s\t%s\t%s\t%s\t%s\t%s", f.Set, label, f.Version.Kid, f.Key.Alg, state(i, f), custody, signature), err
}

// state is the current state of a version, if known.
func state(i *inspect.Inspection, f keyset.Finding) string {
	plan, _ := i.Ring.Plan(f.Set)
	for _, v := range plan.Versions {
		if v.Kid == f.Version.Kid {
			return string(v.State)
		}
	}
	return "-"
}
