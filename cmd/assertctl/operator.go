package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// operatorFlag names the operator's socket.
type operatorFlag string

func (f *operatorFlag) register(cmd *cobra.Command) {
	socket := client.DefaultOperatorSocket
	if set := os.Getenv("ASSERTD_OPERATOR_SOCKET"); set != "" {
		socket = set
	}
	cmd.Flags().StringVar((*string)(f), "operator", socket, "`path` of the operator's socket, or set ASSERTD_OPERATOR_SOCKET")
}

// run lets an operator's client do one thing.
func (f operatorFlag) run(do func(*client.Operator) error) error {
	o, err := client.NewOperator(string(f))
	if err != nil {
		return err
	}
	defer o.Close()
	return do(o)
}

func statusCommand() *cobra.Command {
	var socket operatorFlag
	var output outputFlag
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show how the daemon does: workers, keys, audit log, clients (operators)",
		Args:  cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return socket.run(func(o *client.Operator) error {
			status, err := o.Status(cmd.Context())
			if err != nil {
				return err
			}
			return output.print(cmd.OutOrStdout(), status, func(out io.Writer) error { return printStatus(out, ipc.StatusResponse{}, status) })
		})
	}
	socket.register(cmd)
	output.register(cmd)
	return cmd
}

func reloadCommand() *cobra.Command {
	return operatorCommand("reload", "have the daemon read its configuration again (operators)",
		"Reads the configuration again, as SIGHUP does, and says why where it is refused: all of it takes effect or none.",
		"reloaded", (*client.Operator).Reload)
}

func drainCommand() *cobra.Command {
	return operatorCommand("drain", "have the daemon answer what is in flight and end (operators)",
		"Stops the daemon in good order, as SIGTERM does: new requests are refused, those in flight are answered.",
		"draining", (*client.Operator).Drain)
}

func operatorCommand(use, short, long, done string, do func(*client.Operator, context.Context) error) *cobra.Command {
	var socket operatorFlag
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cli.Args(cobra.NoArgs)}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return socket.run(func(o *client.Operator) error {
			if err := do(o, cmd.Context()); err != nil {
				return err
			}
			_, err := fmt.Fprintln(cmd.OutOrStdout(), done)
			return err
		})
	}
	socket.register(cmd)
	return cmd
}
