// Command assertd is the signing daemon, and the tool with which the security
// team manages its keys.
package main

import (
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { cli.Main(run) }

// Exit codes tell a script what happened.
const (
	exitFailure = 1 // the answer is no, or something broke
	exitUsage   = 2 // the command line is wrong
	exitRefused = 3 // explain: the daemon would refuse
	exitPIN     = 4 // no token takes its PIN: a retry can lock them
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root, args := rootCommand(), nameKids(args)
	err := cli.Execute(ctx, root, args, stdin, stdout, stderr)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errSilent):
		return exitFailure
	case errors.Is(err, errRefused):
		return exitRefused
	}
	ran, _, _ := root.Find(args) // the root command if there is no such command
	cli.PrintError(stderr, "assertd", errors.New(keepPlace(ran, err.Error())))
	switch {
	case errors.Is(err, cli.ErrUsage):
		return exitUsage
	case errors.Is(err, pool.ErrPIN):
		return exitPIN
	}
	return exitFailure
}

// errSilent ends a command that has printed its error.
var errSilent = errors.New("already printed")

func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "assertd",
		Short: "sign OAuth client assertions with keys that never leave the HSM",
		Long:  "Signs OAuth client assertions with keys that never leave the HSM. A service asks\nover a Unix socket, policy decides, assertd builds the assertion, the HSM signs it,\nand the audit log records it.",
	}
	return cli.Root(root, version,
		serveCommand(), devCommand(), checkCommand(), keyCommand(), hsmCommand(), jwksCommand(), workerCommand(), probeChildCommand(), writeFileCommand(), lookupCommand(), prepareCommand(),
		explainCommand(), policyCommand(), profilesCommand(), auditCommand())
}
