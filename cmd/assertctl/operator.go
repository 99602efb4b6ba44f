package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// operatorFlag is the path of the operator socket.
type operatorFlag string

func (f *operatorFlag) register(cmd *cobra.Command) {
	cmd.Flags().StringVar((*string)(f), "operator", client.DefaultOperatorSocket, "`path` of the operator socket; overrides ASSERTD_OPERATOR_SOCKET")
	cli.FromEnvironment((*string)(f), "ASSERTD_OPERATOR_SOCKET")
}

// run runs do with a client for the operator socket.
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
	var output cli.Output
	var live bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "show daemon status (operators)",
		Long: "Shows the daemon's workers, keys, audit log and clients, with signing rates\n" +
			"since it started. Exits with 5 if nothing can be signed, and with 0 while any\n" +
			"grant can be served. With --live, exits with 0 if the daemon answers at all: for\n" +
			"liveness probes, since a restart doesn't bring back an HSM.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return socket.run(func(o *client.Operator) error {
			status, err := o.Status(cmd.Context())
			if err != nil {
				return err
			}
			if live {
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "assertd %s is running\n", status.Version)
				return err
			}
			err = output.Print(cmd.OutOrStdout(), status, func(out io.Writer) error {
				return statusView{wide: output == cli.Wide}.print(out, ipc.StatusResponse{}, status)
			})
			if err == nil && !status.Ready.Ready {
				err = fmt.Errorf("%w: %s", errNotReady, cmp.Or(status.Ready.Detail, status.Ready.Reason))
			}
			return err
		})
	}
	socket.register(cmd)
	output.Register(cmd)
	cmd.Flags().BoolVar(&live, "live", false, "only check that the daemon answers")
	cmd.MarkFlagsMutuallyExclusive("live", "output")
	return cmd
}

// errNotReady means that the daemon can sign nothing now.
var errNotReady = errors.New("the daemon is not ready")

func reloadCommand() *cobra.Command {
	var logs, retryPIN bool
	cmd := operatorCommand("reload", "reload the configuration (operators)",
		"Reloads the configuration, as SIGHUP does. If anything in it is wrong, the\n"+
			"daemon keeps the old one, and the command prints what is wrong. The daemon looks\n"+
			"at its tokens again, but does not repeat a PIN that a token refused.",
		func() (any, string, operation) {
			switch {
			case logs:
				return ipc.ReopenResponse{Reopened: true}, "reopened", (*client.Operator).ReopenLogs
			case retryPIN:
				return ipc.ReloadResponse{Reloaded: true}, "reloaded; assertctl status shows whether the token takes the PIN", (*client.Operator).RetryPIN
			}
			return ipc.ReloadResponse{Reloaded: true}, "reloaded", (*client.Operator).Reload
		})
	cmd.Flags().BoolVar(&logs, "logs", false, "only reopen the log files, as SIGUSR1 does")
	cmd.Flags().BoolVar(&retryPIN, "retry-pin", false, "also try refused PINs once more, which can lock a token")
	cmd.MarkFlagsMutuallyExclusive("logs", "retry-pin")
	return cmd
}

func drainCommand() *cobra.Command {
	return operatorCommand("drain", "finish in-flight requests, then stop (operators)",
		"Stops the daemon cleanly, as SIGTERM does: it refuses new requests, finishes\n"+
			"those in flight, and exits.",
		func() (any, string, operation) {
			return ipc.DrainResponse{Draining: true}, "draining", (*client.Operator).Drain
		})
}

// operation is a request without parameters.
type operation func(*client.Operator, context.Context) error

// operatorCommand is a command that makes one request. Choose returns it, and
// what to print once it is done.
func operatorCommand(use, short, long string, choose func() (result any, done string, do operation)) *cobra.Command {
	var socket operatorFlag
	var output cli.Output
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: cli.Args(cobra.NoArgs)}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		result, done, do := choose()
		return socket.run(func(o *client.Operator) error {
			if err := do(o, cmd.Context()); err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), result, func(out io.Writer) error {
				_, err := fmt.Fprintln(out, done)
				return err
			})
		})
	}
	socket.register(cmd)
	output.Register(cmd)
	return cmd
}
