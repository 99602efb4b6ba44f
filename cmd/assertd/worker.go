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

// workerCommand is the process that holds the PKCS#11 module. The daemon
// starts it; it is of no use to people.
func workerCommand() *cobra.Command {
	var reach sandbox.Rules
	cmd := &cobra.Command{
		Use:    workerName,
		Short:  "host the PKCS#11 module for the daemon",
		Hidden: true,
		Args:   cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			// Not the command's context: SIGTERM and SIGINT end that, and both reach the
			// whole group of processes, while the daemon still has answers to sign.
			ctx, fail := context.WithCancelCause(context.WithoutCancel(cmd.Context()))
			defer fail(nil)
			if err := confineWorker(reach); err != nil {
				fail(err) // Serve tells the pool, which nothing else here reaches
			}
			return worker.Serve(ctx, os.NewFile(worker.FD, "pool"))
		},
	}
	cmd.Flags().StringArrayVar(&reach.Read, "read", nil, "a `path` that the worker may read; with none given here or in --write it is not confined")
	cmd.Flags().StringArrayVar(&reach.Write, "write", nil, "a `path` that the worker may write")
	return cmd
}

// confineWorker takes from the worker what the module has no need of, before the
// module is loaded and the PIN is read.
func confineWorker(reach sandbox.Rules) error {
	if err := sandbox.DropCapabilities(); err != nil {
		return err
	}
	if len(reach.Read) == 0 && len(reach.Write) == 0 {
		return nil
	}
	return reach.Enforce()
}
