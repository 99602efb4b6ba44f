package hsm

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// promptPIN asks on the process's controlling terminal, whatever standard input
// and output are.
func promptPIN(ctx context.Context, question string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("no terminal to prompt on (%w); use a file, a credential or a command", err)
	}
	defer tty.Close()
	return prompt(ctx, tty, question)
}

// prompt reads a line without echo. It sets raw mode and reads the bytes itself
// instead of using term.ReadPassword, because a deadline can end its reads when
// ctx ends, but not ReadPassword's.
func prompt(ctx context.Context, tty *os.File, question string) (line []byte, err error) {
	restore, err := makeRaw(tty)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, restore()) }()
	stop := context.AfterFunc(ctx, func() { _ = tty.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	if _, err := io.WriteString(tty, question); err != nil {
		return nil, err
	}
	line, err = readHidden(tty)
	_, _ = io.WriteString(tty, "\r\n")
	if ctx.Err() != nil {
		clear(line)
		return nil, context.Cause(ctx)
	}
	return line, err
}

// makeRaw uses SyscallConn because Fd would make the file blocking and ignore
// deadlines.
func makeRaw(tty *os.File) (restore func() error, err error) {
	conn, err := tty.SyscallConn()
	if err != nil {
		return nil, err
	}
	var state *term.State
	var rawErr error
	if err := conn.Control(func(fd uintptr) { state, rawErr = term.MakeRaw(int(fd)) }); err != nil || rawErr != nil {
		return nil, errors.Join(err, rawErr)
	}
	return func() error {
		err := conn.Control(func(fd uintptr) { rawErr = term.Restore(int(fd), state) })
		return errors.Join(err, rawErr)
	}, nil
}

// readHidden handles the keys that people use at a password prompt: Enter,
// Backspace, Ctrl-U, Ctrl-C, Ctrl-D.
func readHidden(r io.Reader) ([]byte, error) {
	var line [maxPIN + 1]byte // one byte more than the maximum, so that a longer PIN is noticed
	n, key := 0, make([]byte, 1)
	for {
		if _, err := io.ReadFull(r, key); err != nil {
			clear(line[:])
			return nil, err
		}
		switch c := key[0]; {
		case c == '\r' || c == '\n' || c == 4:
			return line[:n], nil
		case c == 3:
			clear(line[:])
			return nil, errors.New("interrupted")
		case c == 0x7f || c == '\b':
			n = max(n-1, 0)
		case c == 0x15:
			n = 0
		case n < len(line):
			line[n] = c
			n++
		}
	}
}
