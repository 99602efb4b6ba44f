package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// top shows the daemon's status again and again.
type top struct {
	operator *client.Operator
	interval time.Duration
	count    int // views to show; 0 for no end
	clear    bool
}

func topCommand() *cobra.Command {
	var socket operatorFlag
	var t top
	cmd := &cobra.Command{
		Use:   "top",
		Short: "watch clients, rates, refusals, workers and keys (operators)",
		Long:  "Shows the daemon's status again and again, with what each client had signed per second since the view before.",
		Args:  usage(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if t.interval < 100*time.Millisecond || t.count < 0 {
			return usageError(cmd, errors.New("want --interval of at least 100ms and --count of at least 0"))
		}
		t.clear = progressTo(cmd.OutOrStdout()) != io.Discard
		return socket.run(func(o *client.Operator) error {
			t.operator = o
			return t.run(cmd.Context(), cmd.OutOrStdout())
		})
	}
	socket.register(cmd)
	cmd.Flags().DurationVarP(&t.interval, "interval", "i", time.Second, "time between views")
	cmd.Flags().IntVarP(&t.count, "count", "n", 0, "end after so many views (default: at Ctrl-C)")
	return cmd
}

func (t *top) run(ctx context.Context, out io.Writer) error {
	ticker := time.NewTicker(t.interval)
	defer ticker.Stop()
	var before ipc.StatusResponse
	for shown := 1; ; shown++ {
		status, err := t.operator.Status(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := t.show(out, before, status); err != nil || shown == t.count {
			return err
		}
		before = status
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// show writes a view at once, so that a terminal does not flicker.
func (t *top) show(out io.Writer, before, now ipc.StatusResponse) error {
	var view bytes.Buffer
	if t.clear {
		view.WriteString("\x1b[H\x1b[2J")
	}
	if err := printStatus(&view, before, now); err != nil {
		return err
	}
	if !t.clear {
		fmt.Fprintln(&view)
	}
	_, err := out.Write(view.Bytes())
	return err
}
