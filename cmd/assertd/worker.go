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
	var module sandbox.Module
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
			return worker.Serve(ctx, os.NewFile(worker.FD, "pool"), &module)
		},
	}
	cmd.Flags().StringArrayVar(&reach.Read, "read", nil, "`path` that the worker may read; without --read and --write it is not confined")
	cmd.Flags().StringArrayVar(&reach.Write, "write", nil, "`path` that the worker may write")
	cmd.Flags().BoolVar(&module.Enforce, "enforce", false, "restrict signals, sockets and system calls of the module")
	cmd.Flags().StringVar((*string)(&module.Network), "network", "", "sockets that the module can make: none, unix or any")
	cmd.Flags().Uint64Var(&module.Memory, "memory", 0, "limit on the memory, in `bytes`")
	cmd.Flags().Var(&module.User, "user", "user that the module runs as")
	return cmd
}

// confineWorker drops what the worker does not need to read the PIN. Root's
// worker keeps its capabilities until then: it may have to change its user.
func confineWorker(reach sandbox.Rules) error {
	if os.Geteuid() != 0 {
		if err := sandbox.DropCapabilities(); err != nil {
			return err
		}
	}
	if len(reach.Read) == 0 && len(reach.Write) == 0 {
		return nil
	}
	return reach.Enforce()
}
