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

// promptPIN asks on the terminal that controls this process, whatever standard input and output are.
func promptPIN(ctx context.Context) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask on (%w): use a file, a credential or a command", err)
	}
	defer tty.Close()
	return prompt(ctx, tty, "PIN of the token: ")
}

// prompt reads a line without echo. It uses raw mode and reads the bytes itself, rather than term.ReadPassword, because
// a read on the file can be ended by a deadline when ctx ends, and ReadPassword's can't.
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

// makeRaw goes through SyscallConn since Fd would make the file blocking, and deaf to deadlines.
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

// readHidden knows the keys that people use in a password prompt: Enter, Backspace, Ctrl-U, Ctrl-C, Ctrl-D.
func readHidden(r io.Reader) ([]byte, error) {
	var line [maxPIN + 1]byte // one more than a PIN may have, so that the limit shows
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
			return nil, errors.New("it was interrupted")
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
