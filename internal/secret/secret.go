// Package secret reads secrets from where a configuration says they are: a
// file, a systemd credential, or what a program prints. No error of it contains
// anything that was read.
package secret

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/assertd/assertd/internal/trustpath"
)

const (
	// commandDeadline bounds a command, whatever deadline its caller has. It is
	// shorter than a worker's time to start, so that the error names the command
	// and not the module.
	commandDeadline = 20 * time.Second
	// credentialsDirectory is the variable with the directory of a service's
	// systemd credentials (systemd.exec(5)).
	credentialsDirectory = "CREDENTIALS_DIRECTORY"
)

// Source says where a secret is. Exactly one of File, Credential and Command is
// set.
type Source struct {
	// File is a file that only root and the user that this process runs as can
	// read or replace (trustpath.Secret).
	File string
	// Credential is the name of a systemd credential: a file in
	// $CREDENTIALS_DIRECTORY.
	Credential string
	// Command is the absolute path of a program and its arguments. Others can't
	// change the program, nor a file among the arguments. It runs without a shell
	// and without input, has 20 seconds, and prints the secret.
	Command []string

	// Trust relaxes who may have access to the file or the program.
	Trust trustpath.Rules
}

// String names the source, without its content.
func (s Source) String() string {
	switch {
	case s.File != "":
		return "the file " + s.File
	case s.Credential != "":
		return "the credential " + s.Credential
	}
	return "the command " + s.Command[0]
}

// Line reads a secret of one line and at most most bytes, without the newline
// at its end. The caller clears it after use.
func (s Source) Line(ctx context.Context, most int) ([]byte, error) {
	raw, err := s.Raw(ctx, most+3) // CR, LF, and one byte too many
	if err != nil {
		return nil, fmt.Errorf("%s can't be read: %w", s, err)
	}
	line := bytes.TrimSuffix(bytes.TrimSuffix(raw, []byte("\n")), []byte("\r"))
	switch {
	case len(line) == 0:
		err = fmt.Errorf("%s is empty", s)
	case len(line) > most:
		err = fmt.Errorf("%s contains more than %d bytes", s, most)
	case bytes.ContainsAny(line, "\x00\n"):
		err = fmt.Errorf("%s contains more than one line, or a NUL byte", s)
	}
	if err != nil {
		clear(raw)
		return nil, err
	}
	return line, nil
}

// Raw reads the first most bytes. The caller clears them after use, also with
// an error.
func (s Source) Raw(ctx context.Context, most int) ([]byte, error) {
	switch {
	case s.File != "":
		return s.readFile(s.File, most)
	case s.Credential != "":
		return s.readCredential(most)
	}
	if err := s.Trust.CheckAll(trustpath.OfCommand(s.Command)); err != nil {
		return nil, err
	}
	return run(ctx, s.Command, most)
}

func (s Source) readCredential(most int) ([]byte, error) {
	dir := os.Getenv(credentialsDirectory)
	if dir == "" {
		return nil, errors.New("$" + credentialsDirectory + " isn't set; run as a systemd service with LoadCredential=" +
			s.Credential + ":PATH, or use another source")
	}
	return s.readFile(filepath.Join(dir, s.Credential), most)
}

func (s Source) readFile(path string, most int) ([]byte, error) {
	file, err := s.Trust.Open(path, trustpath.Secret)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content := newBuffer(most)
	_, err = io.Copy(content, io.LimitReader(file, int64(most)))
	return content.read(), err
}

func run(ctx context.Context, argv []string, most int) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, commandDeadline)
	defer cancel()
	out := newBuffer(most)
	command := exec.CommandContext(ctx, argv[0], argv[1:]...)
	command.Stdout = out
	command.WaitDelay = time.Second // a grandchild may hold the pipe open
	// The command must not outlive this process, which may be killed. The
	// kernel sends the signal when the thread ends, so it is locked.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := time.Now()
	if err := command.Run(); err != nil {
		clear(out.bytes)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("it was stopped after %v (%w); run it by hand to see what it is waiting for",
				time.Since(start).Round(time.Millisecond), context.Cause(ctx))
		}
		return nil, fmt.Errorf("it failed (%w); run it by hand to see why", err)
	}
	return out.read(), nil
}

// buffer keeps the beginning of what is written, and discards the rest. It
// never grows, so no copy of a secret stays behind.
type buffer struct {
	bytes []byte
	n     int
}

func newBuffer(most int) *buffer { return &buffer{bytes: make([]byte, most)} }

func (b *buffer) read() []byte { return b.bytes[:b.n] }

// Write implements io.Writer.
func (b *buffer) Write(p []byte) (int, error) {
	b.n += copy(b.bytes[b.n:], p)
	return len(p), nil
}
