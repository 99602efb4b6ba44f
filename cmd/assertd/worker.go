package main

import (
	"os"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm/worker"
)

const workerName = "hsm-worker"

// workerCommand is the process that holds the PKCS#11 module. The daemon
// starts it; it is of no use to people.
func workerCommand() *cobra.Command {
	return &cobra.Command{
		Use:    workerName,
		Short:  "host the PKCS#11 module for the daemon",
		Hidden: true,
		Args:   usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return worker.Serve(cmd.Context(), os.NewFile(worker.FD, "pool"))
		},
	}
}
