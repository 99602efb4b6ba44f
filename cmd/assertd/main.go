// Command assertd is the signing daemon, and the tool of the security team
// that provisions its keys.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Exit codes: what a script can tell apart.
const (
	exitFailure = 1 // the command ran and the answer is no, or something broke
	exitUsage   = 2 // the command line is wrong
	exitRefused = 3 // explain: the daemon would refuse
	exitPIN     = 4 // the token refused the PIN: trying again can lock it
)

// errUsage marks an error of the command line.
var errUsage = errors.New("usage")

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(nameKids(args))
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return exitFailure
	case errors.Is(err, errRefused):
		return exitRefused
	}
	fmt.Fprintf(stderr, "assertd: %v\n", err)
	switch {
	case errors.Is(err, errUsage):
		return exitUsage
	case errors.Is(err, hsm.ErrPINIncorrect), errors.Is(err, hsm.ErrPINLocked):
		return exitPIN
	}
	return exitFailure
}

// errSilent ends a command that has said everything already.
var errSilent = errors.New("said already")

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "assertd",
		Short:         "signs OAuth client assertions with keys that never leave the HSM",
		Long:          "assertd holds signing keys in an HSM and answers on a Unix socket: a service asks,\npolicy decides, assertd builds the assertion, the HSM signs it, the audit log has it.",
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	parent(root)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
	})
	root.AddCommand(serveCommand(), devCommand(), checkCommand(), keyCommand(), jwksCommand(), versionCommand(), workerCommand(), prepareCommand(),
		explainCommand(), policyCommand(), profilesCommand(), auditCommand())
	return root
}

// parent makes a command show its help, and refuse what is none of its commands:
// cobra would show the help for that too, and exit as if all were well.
func parent(cmd *cobra.Command) {
	cmd.Args = usage(cobra.NoArgs)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.DisableFlagsInUseLine = true
}

// usage marks the errors of an argument check, and of flags that are missing or
// exclude each other, as errors of the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if err == nil {
			err = cmd.ValidateRequiredFlags()
		}
		if err == nil {
			err = cmd.ValidateFlagGroups()
		}
		if err != nil {
			return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
		}
		return nil
	}
}
