package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/accounts"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/sandbox"
	"github.com/assertd/assertd/internal/terminal"
)

const lookupName = "look-up-accounts"

// lookupCommand is the process that asks the name services for a confined
// daemon. Only the daemon starts it.
func lookupCommand() *cobra.Command {
	return &cobra.Command{
		Use:    lookupName,
		Short:  "look up users and groups for the daemon",
		Hidden: true,
		Args:   cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// These reach the whole process group; the daemon ends this process.
			signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
			if err := confineLookups(); err != nil {
				return err
			}
			return accounts.Serve(cmd.InOrStdin(), terminal.Data(cmd.OutOrStdout()), config.SystemAccounts())
		},
	}
}

// confineLookups leaves what name services need: to read files and to talk to
// their daemons.
func confineLookups() error {
	if err := sandbox.Conceal(); err != nil {
		return err
	}
	if err := sandbox.DropCapabilities(); err != nil {
		return err
	}
	return sandbox.Rules{Read: []string{"/"}}.Enforce()
}
