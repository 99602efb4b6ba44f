// Command assertctl is the caller's tool: it asks assertd for assertions and
// uses them. It links neither cgo nor PKCS#11.
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

	"github.com/assertd/assertd/client"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err != nil {
		fmt.Fprintf(stderr, "assertctl: %v\n", err)
	}
	return exitCode(err)
}

// app is what every command shares.
type app struct{ socket string }

func (a *app) client() (*client.Client, error) { return client.New(a.socket) }

var errUsage = errors.New("usage")

func rootCommand() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "assertctl",
		Short: "ask assertd for assertions, and use them",
		Long: "Asks assertd for signed assertions and uses them.\n\n" +
			"Exit codes: 0 done, 1 failed, 2 wrong command line, 3 denied, 4 rate limited, 5 not available.",
		Version:       version,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs), // names a command that there isn't
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },

		DisableFlagsInUseLine: true,
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(cmd, err) })
	root.PersistentFlags().StringVarP(&a.socket, "socket", "s", defaultSocket(), "`path` of the daemon's socket, or set ASSERTD_SOCKET")
	root.AddCommand(a.assertCommand(), a.tokenCommand(), a.callCommand(), a.keepCommand(), a.execCredentialCommand(), a.signCommand(), a.registerCommand(),
		a.grantsCommand(), a.jwksCommand(), a.verifyCommand(), a.benchCommand(),
		statusCommand(), topCommand(), reloadCommand(), drainCommand())
	return root
}

func defaultSocket() string {
	if socket := os.Getenv("ASSERTD_SOCKET"); socket != "" {
		return socket
	}
	return client.DefaultSocket
}

func usageError(cmd *cobra.Command, err error) error {
	return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
}

// usage marks what an argument check and cobra's own checks of flags find as
// errors of the command line.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		for _, err := range []error{check(cmd, args), cmd.ValidateRequiredFlags(), cmd.ValidateFlagGroups()} {
			if err != nil {
				return usageError(cmd, err)
			}
		}
		return nil
	}
}
