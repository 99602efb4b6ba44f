package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/sandbox"
)

// tokens are the tokens of a configuration, as the commands that only read them
// find them.
type tokens struct {
	path string
	pin  pinFlags
}

func (t *tokens) register(cmd *cobra.Command) {
	configFlag(cmd, &t.path)
	t.pin.register(cmd, cmd.Flags())
}

// load reads the configuration, with the PIN from the command line.
func (t *tokens) load() (*config.Config, error) {
	c, err := config.Load(t.path)
	if err != nil {
		return nil, err
	}
	return c, t.pin.apply(c)
}

// read opens the tokens of a configuration in workers that are left with as
// little as the daemon's, except that files are not confined, and calls do.
func (t *tokens) read(ctx context.Context, c *config.Config, do func(context.Context, *inspect.Inspection) error) error {
	module, err := sandbox.ModuleOf(c)
	if err != nil {
		return err
	}
	err = daemon.Inspect(ctx, daemon.Options{
		Config: c, Logger: hclog.NewNullLogger(), WorkerCommand: confinement{module: module}.workerCommand(), Now: now,
	}, do)
	if errors.Is(err, hsm.ErrPINSource) {
		err = fmt.Errorf("%w; or use --pin-file or --pin-prompt", err)
	}
	return err
}
