// Command assertctl is the tool of callers, who get assertions from assertd and
// use them, and of operators. It links neither cgo nor PKCS#11.
package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
)

// version is set by the linker.
var version = "dev"

func main() { cli.Main(run) }

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := cli.Execute(ctx, rootCommand(), args, stdin, stdout, stderr)
	if err != nil {
		cli.PrintError(stderr, "assertctl", saidOnce(err))
	}
	return exitCode(err)
}

// app is what the commands of callers share.
type app struct{ socket string }

func (a *app) client() (*client.Client, error) { return client.New(a.socket) }

func rootCommand() *cobra.Command {
	a := &app{}
	root := &cobra.Command{
		Use:   "assertctl",
		Short: "get assertions from assertd and use them",
		Long: "Gets signed assertions from assertd and uses them.\n\n" +
			"Exit codes: 0 success, 1 failure, 2 usage error, 3 denied, 4 rate limited,\n" +
			"5 unavailable.",
	}
	root.PersistentFlags().StringVarP(&a.socket, "socket", "s", client.DefaultSocket, "`path` of the daemon's socket; overrides ASSERTD_SOCKET")
	cli.FromEnvironment(&a.socket, "ASSERTD_SOCKET")
	return cli.Root(root, version,
		a.assertCommand(), a.tokenCommand(), a.callCommand(), a.keepCommand(), a.execCredentialCommand(),
		a.signCommand(), a.registerCommand(),
		a.grantsCommand(), a.whoamiCommand(), a.jwksCommand(), a.verifyCommand(), a.benchCommand(),
		statusCommand(), topCommand(), fleetCommand(), reloadCommand(), freezeCommand(), thawCommand(), drainCommand())
}
