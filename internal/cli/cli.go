// Package cli is the frame around our command-line programs: signals, the root
// command, usage errors, and the flags that the programs share. It links
// nothing of the daemon, so that assertctl stays small.
package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/terminal"
)

// Main runs a program until it returns its exit code. SIGINT and SIGTERM cancel
// the context.
func Main(run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Execute runs a root command with arguments and streams of its own, as a test
// needs it. What commands print goes through [terminal.NewText]. The caller
// prints the error, with [PrintError].
func Execute(ctx context.Context, root *cobra.Command, args []string, stdin io.Reader, stdout, stderr io.Writer) error {
	out, errors := terminal.NewText(stdout), terminal.NewText(stderr)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(out)
	root.SetErr(errors)
	err := root.ExecuteContext(ctx)
	_ = errors.Flush() // there is nowhere to report it
	return cmp.Or(err, out.Flush())
}

// PrintError prints the error that ended a program. No error needs an assertion
// or a control character, so those come from elsewhere.
func PrintError(stderr io.Writer, program string, err error) {
	out := terminal.NewText(stderr)
	_ = terminal.Paint(out, terminal.Bad, program+":") // there is nowhere to report it
	fmt.Fprintf(out, " %s\n", terminal.WithoutAssertions(err.Error()))
	_ = out.Flush()
}

// Root completes a root command: errors go to the caller of Execute, those of
// the command line match [ErrUsage], and help fits a terminal of 80 columns.
func Root(root *cobra.Command, version string, commands ...*cobra.Command) *cobra.Command {
	root.SilenceErrors, root.SilenceUsage = true, true
	Group(root)
	root.SetFlagErrorFunc(UsageError)
	root.SetHelpFunc(printHelp)
	root.SetUsageFunc(printUsage)
	root.AddCommand(commands...)
	addVersion(root, version)
	describeBuiltins(root)
	return root
}

// Group makes a command with subcommands show its help and reject any argument.
// Left alone, cobra shows the help for a mistyped subcommand too, and exits
// with 0.
func Group(cmd *cobra.Command) {
	cmd.Args = subcommand
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
}
