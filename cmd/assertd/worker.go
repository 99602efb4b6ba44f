package main

import (
	"context"
	"os"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm/worker"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/sandbox"
)

const workerName = "hsm-worker"

// workerCommand is the process that loads the PKCS#11 module. Only the daemon
// starts it.
func workerCommand() *cobra.Command {
	var reach sandbox.Rules
	cmd := &cobra.Command{
		Use:    workerName,
		Short:  "host the PKCS#11 module for the daemon",
		Hidden: true,
		Args:   cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Not the command's context: SIGTERM and SIGINT reach the whole
			// process group, and the daemon still needs its workers to finish
			// in-flight requests.
			ctx, fail := context.WithCancelCause(context.WithoutCancel(cmd.Context()))
			defer fail(nil)
			if err := confineWorker(reach); err != nil {
				fail(err) // only Serve can report it to the pool
			}
			return worker.Serve(ctx, os.NewFile(worker.FD, "pool"))
		},
	}
	cmd.Flags().StringArrayVar(&reach.Read, "read", nil, "`path` that the worker may read; without --read and --write it is not confined")
	cmd.Flags().StringArrayVar(&reach.Write, "write", nil, "`path` that the worker may write")
	return cmd
}

// confineWorker drops what the module does not need, before the module is
// loaded and the PIN is read.
func confineWorker(reach sandbox.Rules) error {
	if err := sandbox.DropCapabilities(); err != nil {
		return err
	}
	if len(reach.Read) == 0 && len(reach.Write) == 0 {
		return nil
	}
	return reach.Enforce()
}
