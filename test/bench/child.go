package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// childArgument makes this program a child, a process that does one kind of
// work. Its CPU time then shows the cost of that work.
const childArgument = "-child"

// A role is the kind of work that a child does, such as calling the module or
// generating load. It opens what its tasks share.
type role func(env) (prepare, error)

// prepare turns a task into the operation to repeat.
type prepare func(task) (operation, error)

// operation makes signatures, or does whatever else the task counts, and
// returns how many.
type operation func() (int, error)

var roles = map[string]role{
	"setup":    setUp,
	"fill":     fill,
	"pkcs11":   rawModule,
	"crypto11": viaCrypto11,
	"worker":   workerHop,
	"load":     loadSocket,
	"front":    frontHere,
	"verify":   verification,

	p11Kit:   throughP11Kit,
	sshAgent: throughSSHAgent,
	"policy": decisions,
}

// task is one slice of work.
type task struct {
	Do      string
	Alg     string        `json:",omitempty"`
	Callers int           `json:",omitempty"`
	For     time.Duration `json:",omitempty"`
	Times   int           `json:",omitempty"` // so often, in place of For
	Socket  string        `json:",omitempty"`
	Workers int           `json:",omitempty"`
	Clients int           `json:",omitempty"`
}

// outcome is the result of a task.
type outcome struct {
	Count    int           // signatures, decisions
	Elapsed  time.Duration // of the slice
	P50, P99 time.Duration // of one operation
	Worst    time.Duration
	Error    string `json:",omitempty"`
}

// assignment is the first line that a child reads.
type assignment struct {
	Role string
	Env  env
}

// serveChild reads the child's role, then runs one task per line until the
// input ends.
func serveChild(stdin io.Reader, stdout io.Writer) error {
	in, out := json.NewDecoder(stdin), json.NewEncoder(stdout)
	var a assignment
	if err := in.Decode(&a); err != nil {
		return err
	}
	open, ok := roles[a.Role]
	if !ok {
		return fmt.Errorf("unknown role %q", a.Role)
	}
	prepare, err := open(a.Env)
	if err != nil {
		return fmt.Errorf("%s: %w", a.Role, err)
	}
	if err := out.Encode(outcome{}); err != nil {
		return err
	}
	known := map[task]operation{}
	for {
		var t task
		if err := in.Decode(&t); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := out.Encode(answer(t, prepare, known)); err != nil {
			return err
		}
	}
}

func answer(t task, prepare prepare, known map[task]operation) outcome {
	if t.Callers == 0 {
		t.Callers = 1
	}
	duration, times := t.For, t.Times
	t.For, t.Times = 0, 0
	op, ok := known[t]
	if !ok {
		var err error
		if op, err = prepare(t); err != nil {
			return outcome{Error: err.Error()}
		}
		known[t] = op
	}
	if times > 0 {
		return exactly(op, times)
	}
	return repeat(op, t.Callers, duration)
}

// child is the parent's view of a child process.
type child struct {
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
	end io.Closer
}

// startChild runs this program again in a role and waits until the role is set
// up: two processes that open SoftHSM at the same time can disturb each other.
// The child exits when its input is closed or this process exits.
func startChild(ctx context.Context, e env, role string) (*child, error) {
	return startChildAs(exec.CommandContext(ctx, "/proc/self/exe", childArgument), e, role)
}

// startChildAs is startChild with a command that runs this program.
func startChildAs(cmd *exec.Cmd, e env, role string) (*child, error) {
	cmd.Env = append(cmd.Environ(), "SOFTHSM2_CONF="+e.SoftHSMConf)
	for name, value := range e.Environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, in: json.NewEncoder(stdin), out: json.NewDecoder(stdout), end: stdin}
	if err := c.in.Encode(assignment{role, e}); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	if _, err := c.answer(); err != nil {
		return nil, errors.Join(err, c.stop())
	}
	return c, nil
}

// do runs a task in the child and returns its outcome.
func (c *child) do(t task) (outcome, error) {
	if err := c.in.Encode(t); err != nil {
		return outcome{}, err
	}
	return c.answer()
}

func (c *child) answer() (outcome, error) {
	var o outcome
	if err := c.out.Decode(&o); err != nil {
		return outcome{}, fmt.Errorf("the child exited: %w", err)
	}
	if o.Error != "" {
		return outcome{}, errors.New(o.Error)
	}
	return o, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

func (c *child) stop() error {
	_ = c.end.Close()
	return c.cmd.Wait()
}
