package main

import (
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
)

const writeFileName = "write-file"

// writeFileCommand is the process that writes a file for the daemon. Only the
// daemon starts it.
func writeFileCommand() *cobra.Command {
	return &cobra.Command{
		Use:    writeFileName + " MODE PATH",
		Short:  "write a file for the daemon",
		Hidden: true,
		Args:   cli.Args(cobra.ExactArgs(2)),
		RunE: func(cmd *cobra.Command, args []string) error {
			// These reach the whole process group, and the daemon decides when to
			// stop waiting.
			signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM)
			return atomicfile.Serve(args, cmd.InOrStdin(), terminal.Data(cmd.OutOrStdout()))
		},
	}
}
