package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/terminal"
)

var errNotConfirmed = errors.New("not confirmed")

// typed asks a question on the controlling terminal, whatever standard input
// and output are. It returns nil only if the answer is exactly want.
func typed(ctx context.Context, question, want string) error {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("%w: no terminal (%w); in a script, use --yes-destroy or --yes-tighten with the kid", errNotConfirmed, err)
	}
	defer tty.Close()
	// A deadline in the past interrupts a pending read.
	stop := context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(terminal.NewText(tty), question); err != nil {
		return err
	}
	answer, err := bufio.NewReader(io.LimitReader(tty, 1024)).ReadString('\n')
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", errNotConfirmed, context.Cause(ctx))
	case strings.TrimSpace(answer) == want:
		return nil
	case err != nil && !errors.Is(err, io.EOF):
		return fmt.Errorf("%w: %w", errNotConfirmed, err)
	}
	return fmt.Errorf("%w: the answer is not %s; run the command again and type that, or paste it", errNotConfirmed, want)
}
