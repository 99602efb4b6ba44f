package probe

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/assertd/assertd/hsm"
)

// Settings say how to run a probe.
type Settings struct {
	// Command is the argument vector of a program that calls Serve with its
	// standard input and descriptor FD.
	Command []string
	// Environment is the child's; nil is this process's own.
	Environment []string
	// Step is how long the module may take over one step before the child is
	// killed.
	Step time.Duration
}

// Run asks a module what it has and, with Try, what it does. What the module
// does wrong is in the report; an error means that there is none. pin is only
// for Try.
func (s Settings) Run(ctx context.Context, r Request, pin *hsm.PIN) (Report, error) {
	report := Report{Module: r.Module, Description: hsm.Description{Slots: []hsm.SlotDescription{}}}
	ask := r
	ask.Try = false
	problem, err := s.child(ctx, ask, nil, func(m message) {
		if m.Description != nil {
			report.Description = *m.Description
		}
	})
	if report.Problem = problem; err != nil || !r.Try || problem != "" {
		return report, err
	}
	trials := &Trials{Results: []hsm.Trial{}}
	report.Trial = trials
	trials.Problem, err = s.child(ctx, r, pin, func(m message) {
		if m.Token != nil {
			trials.Token, trials.Serial = m.Token.Label, m.Token.Serial
		}
		if m.Trial != nil {
			trials.Results = append(trials.Results, *m.Trial)
		}
	})
	if err != nil {
		return report, err
	}
	return report, s.discard(ctx, r, pin, trials)
}

// discard destroys what the trials left, from another process, and notes what
// is gone.
func (s Settings) discard(ctx context.Context, r Request, pin *hsm.PIN, trials *Trials) error {
	for _, t := range trials.Results {
		if t.Left != "" {
			r.Discard = append(r.Discard, t)
		}
	}
	if r.Discard == nil {
		return nil
	}
	_, err := s.child(ctx, r, pin, func(m message) {
		for i := range trials.Results {
			if t := &trials.Results[i]; m.Discarded != nil && bytes.Equal(t.LeftID, m.Discarded) {
				t.Left, t.LeftID, t.LeftWhy = "", nil, ""
			}
		}
	})
	return err
}

// child runs one child and passes its messages to take. problem says why the
// child ended early.
func (s Settings) child(ctx context.Context, r Request, pin *hsm.PIN, take func(message)) (problem string, err error) {
	request, err := json.Marshal(r)
	if err != nil {
		return "", err
	}
	secret := pin.Reveal()
	defer clear(secret)
	input := bytes.Join([][]byte{request, secret}, []byte("\n"))
	defer clear(input)
	ours, theirs, err := os.Pipe()
	if err != nil {
		return "", err
	}
	defer ours.Close()
	cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
	cmd.Env, cmd.Stdin, cmd.ExtraFiles = s.Environment, bytes.NewReader(input), []*os.File{theirs}
	cmd.WaitDelay = time.Second // a daemon that the module started may hold the pipe
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		return "", fmt.Errorf("hsm/probe: start a process for the module: %w", err)
	}
	problem = s.follow(cmd, ours, take)
	waited := cmd.Wait()
	if problem == "" && waited != nil && ctx.Err() == nil {
		return fmt.Sprintf("the process ended early (%v)", waited), nil
	}
	return problem, ctx.Err()
}

// follow reads what the child reports until it ends or takes too long. It names
// the step in which the module hung or crashed.
func (s Settings) follow(cmd *exec.Cmd, from *os.File, take func(message)) (problem string) {
	messages, step := json.NewDecoder(from), "starting"
	for {
		_ = from.SetReadDeadline(time.Now().Add(s.Step))
		var m message
		err := messages.Decode(&m)
		switch {
		case errors.Is(err, os.ErrDeadlineExceeded):
			_ = cmd.Process.Kill()
			return fmt.Sprintf("the module hung for %v while %s; check that the HSM answers its vendor's tools", s.Step, step)
		case err != nil && step == done:
			return problem
		case err != nil:
			return fmt.Sprintf("the module ended its process while %s", step)
		case m.Problem != "":
			problem, step = m.Problem, done
		case m.Step != "":
			step = m.Step
		default:
			take(m)
		}
	}
}

// done is the step after the last one, in which the child only ends.
const done = "ending"
