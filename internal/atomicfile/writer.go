package atomicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/logging"
)

// ErrStuck means that a write was given up: the disk did not answer.
var ErrStuck = errors.New("the disk did not answer")

const (
	slow  = 10 * time.Second // a write that takes longer is logged
	grace = 2 * time.Second

	oldLeftover = time.Minute // when another process is not writing it any more
)

// Writer writes files from child processes, one for each write. A thread that
// waits for a disk can't be killed, and a process can't exit before all its
// threads: the child can wait for the disk, and its parent can go.
type Writer struct {
	// Command is the command line of a process that calls [Serve] with its other
	// arguments.
	Command []string
	Logger  logging.Logger
}

// Update does what the function Update does. It waits for the disk until ctx
// ends. If the disk has not answered by then, the error wraps [ErrStuck], and
// the child ends when the disk answers.
func (w *Writer) Update(ctx context.Context, path string, content []byte, mode fs.FileMode) (changed bool, err error) {
	warning := time.AfterFunc(slow, func() {
		w.Logger.Warn("a write still waits for its disk; check the disk", "file", path, "for", slow)
	})
	defer warning.Stop()
	child := start(w.Command, path, mode, content)
	select {
	case <-child.ended:
		return child.outcome()
	case <-ctx.Done():
		child.kill()
		return false, fmt.Errorf("write %s: %w", path, ErrStuck)
	}
}

// Outlive returns a context for writes that ends 2 seconds after ctx: as long
// as a process that stops waits for a disk. Call cancel to release it.
func Outlive(ctx context.Context) (outliving context.Context, cancel context.CancelFunc) {
	outliving, cancel = context.WithCancel(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(grace, cancel)
		context.AfterFunc(outliving, func() { timer.Stop() })
	})
	return outliving, cancel
}

// child is a process that writes one file.
type child struct {
	command    *exec.Cmd
	out, noise bytes.Buffer
	started    chan struct{}
	ended      chan struct{} // then err is set
	err        error
}

// start runs the child on a thread of its own until it ends: the kernel kills
// the child when this process dies, and takes the thread's end for that.
func start(command []string, path string, mode fs.FileMode, content []byte) *child {
	arguments := append(command[1:len(command):len(command)], strconv.FormatUint(uint64(mode), 8), path)
	c := &child{command: exec.Command(command[0], arguments...), started: make(chan struct{}), ended: make(chan struct{})}
	c.command.Stdin, c.command.Stdout, c.command.Stderr = bytes.NewReader(content), &c.out, &c.noise
	c.command.Env = []string{} // it needs none, and some have secrets
	endsWithParent(c.command)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(c.ended)
		c.err = c.command.Start()
		close(c.started)
		if c.err == nil {
			c.err = c.command.Wait()
		}
	}()
	return c
}

// kill keeps a child whose disk answers later from replacing what others have
// written by then.
func (c *child) kill() {
	select {
	case <-c.started:
		if c.command.Process != nil {
			_ = c.command.Process.Kill()
		}
	default: // it dies with this process
	}
}

// What a child prints when it is done. After failed comes the error.
const (
	wrote  = "changed"
	kept   = "unchanged"
	failed = "failed: "
)

func (c *child) outcome() (changed bool, err error) {
	answer := c.out.String()
	problem, isError := strings.CutPrefix(answer, failed)
	switch {
	case isError:
		return false, errors.New(problem)
	case c.err != nil:
		return false, fmt.Errorf("the process that writes files failed: %w: %s", c.err, bytes.TrimSpace(c.noise.Bytes()))
	case answer != wrote && answer != kept:
		return false, fmt.Errorf("the process that writes files answered %q", answer)
	}
	return answer == wrote, nil
}

// Serve is the child: it updates the file that the arguments name, a mode and a
// path, with the content of in, and reports on out.
func Serve(arguments []string, in io.Reader, out io.Writer) error {
	answer := kept
	changed, err := serve(arguments, in)
	switch {
	case err != nil:
		answer = failed + err.Error()
	case changed:
		answer = wrote
	}
	_, err = io.WriteString(out, answer)
	return err
}

func serve(arguments []string, in io.Reader) (changed bool, err error) {
	if len(arguments) != 2 {
		return false, errors.New("want a mode and a path")
	}
	mode, err := strconv.ParseUint(arguments[0], 8, 9)
	if err != nil {
		return false, err
	}
	content, err := io.ReadAll(in)
	if err != nil {
		return false, err
	}
	if err := RemoveLeftovers(arguments[1], oldLeftover); err != nil {
		return false, err
	}
	return Update(arguments[1], content, fs.FileMode(mode))
}
