package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// top shows the daemon's status and refreshes it.
type top struct {
	operator *client.Operator
	interval time.Duration
	count    int // refreshes to show; 0 for no limit
	clear    bool
	size     func() (width, height int) // of the terminal; zero if unknown
}

func topCommand() *cobra.Command {
	var socket operatorFlag
	var t top
	cmd := &cobra.Command{
		Use:   "top",
		Short: "watch daemon status (operators)",
		Long: "Shows the daemon's status and refreshes it, with each client's signing rate\n" +
			"since the previous refresh.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if t.interval < 100*time.Millisecond || t.count < 0 {
			return cli.UsageError(cmd, errors.New("want an --interval of at least 100ms and no negative --count"))
		}
		t.clear = progressTo(cmd.OutOrStdout()) != io.Discard
		t.size = sizeOf(cmd.OutOrStdout())
		return socket.run(func(o *client.Operator) error {
			t.operator = o
			return t.run(cmd.Context(), cmd.OutOrStdout())
		})
	}
	socket.register(cmd)
	cmd.Flags().DurationVarP(&t.interval, "interval", "i", time.Second, "time between refreshes")
	cmd.Flags().IntVarP(&t.count, "count", "n", 0, "exit after `N` refreshes (default: run until Ctrl-C)")
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

// show writes one refresh in a single write, so that the terminal does not
// flicker.
func (t *top) show(out io.Writer, before, now ipc.StatusResponse) error {
	var status bytes.Buffer
	if err := printStatus(&status, before, now); err != nil {
		return err
	}
	text := terminal.Text(status.String())
	if !t.clear {
		_, err := io.WriteString(out, text+"\n")
		return err
	}
	width, height := t.size()
	return terminal.Control(out, "\x1b[H\x1b[2J"+fit(text, width, height))
}

func sizeOf(out io.Writer) func() (width, height int) {
	return func() (int, int) {
		file, ok := terminal.File(out)
		if !ok {
			return 0, 0
		}
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0, 0
		}
		return width, height
	}
}

// fit cuts a view to the terminal. Its first line says whether the daemon can
// sign, and must not scroll away.
func fit(view string, width, height int) string {
	lines := strings.Split(strings.TrimSuffix(view, "\n"), "\n")
	if more := len(lines) - height + 1; height > 1 && more > 1 {
		lines = append(lines[:height-1], fmt.Sprintf("… %d more lines; assertctl status shows them all", more))
	}
	for i, line := range lines {
		if runes := []rune(line); width > 0 && len(runes) > width {
			lines[i] = string(runes[:width-1]) + "…"
		}
	}
	return strings.Join(lines, "\n")
}
