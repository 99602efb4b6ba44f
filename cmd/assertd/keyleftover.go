package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
)

// destroyLeftover destroys a key pair that failed its proof and that this
// process could not destroy, from a new process: the module starts fresh there.
// Any other error it returns as it is.
func (p place) destroyLeftover(ctx context.Context, pin *hsm.PIN, failed error) error {
	var left *hsm.LeftoverError
	if !errors.As(failed, &left) {
		return failed
	}
	if err := p.discard(ctx, pin, left); err != nil {
		return fmt.Errorf("%w; a new process could not destroy it either: %w", failed, err)
	}
	return fmt.Errorf("%w; the key pair was destroyed", left.Cause)
}

func (p place) discard(ctx context.Context, pin *hsm.PIN, left *hsm.LeftoverError) error {
	workers, err := pool.New(pool.Config{
		Command: []string{self, workerName}, Workers: 1,
		Tokens: []pool.TokenConfig{{Name: "the token", HSM: p.hsm, PIN: p.pin.Passed(pin), Environment: p.workerEnvironment()}},
	})
	if err != nil {
		return err
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- workers.Run(running) }()
	defer func() { stop(); <-ended }()
	if err := workers.WaitReady(ctx); err != nil {
		return err
	}
	return workers.Discard(ctx, left.Label, left.ID)
}

// workerEnvironment is what the module had in this process: without a
// configuration that is the caller's environment.
func (p place) workerEnvironment() map[string]string {
	if p.environment != nil {
		return p.environment
	}
	all := map[string]string{}
	for _, setting := range os.Environ() {
		if name, value, ok := strings.Cut(setting, "="); ok && name != "" {
			all[name] = value
		}
	}
	return all
}
