// Command assertd is the signing daemon, and the tool of the security team
// that provisions its keys.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { cli.Main(run) }

// Exit codes: what a script can tell apart.
const (
	exitFailure = 1 // the command ran and the answer is no, or something broke
	exitUsage   = 2 // the command line is wrong
	exitRefused = 3 // explain: the daemon would refuse
	exitPIN     = 4 // the token refused the PIN: trying again can lock it
)

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := cli.Execute(ctx, rootCommand(), nameKids(args), stdin, stdout, stderr)
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
	case errors.Is(err, cli.ErrUsage):
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
		Use:   "assertd",
		Short: "signs OAuth client assertions with keys that never leave the HSM",
		Long:  "assertd holds signing keys in an HSM and answers on a Unix socket: a service asks,\npolicy decides, assertd builds the assertion, the HSM signs it, the audit log has it.",
	}
	return cli.Root(root,
		serveCommand(), devCommand(), checkCommand(), keyCommand(), jwksCommand(), versionCommand(), workerCommand(), prepareCommand(),
		explainCommand(), policyCommand(), profilesCommand(), auditCommand())
}
