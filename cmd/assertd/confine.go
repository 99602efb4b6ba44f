package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/sandbox"
)

// confinement is what the daemon may reach from its start to its end. A reload
// can't widen it.
type confinement struct {
	front, worker *sandbox.Rules // nil: not confined
}

// confine conceals this process's memory and keeps it from files that the
// configuration doesn't call for.
func confine(path string, c *config.Config, logger hclog.Logger) (confinement, error) {
	if err := sandbox.Conceal(); err != nil {
		return confinement{}, err
	}
	if !c.Sandbox.Enforce {
		logger.Warn("sandbox: off, as the configuration says")
		return confinement{}, nil
	}
	version := sandbox.Supported()
	if version == 0 {
		logger.Warn("sandbox: this kernel has no Landlock, so the file system's permissions are all that confines the daemon")
		return confinement{}, nil
	}
	worker := sandbox.Worker(c)
	if sandbox.WantsPrograms(c) {
		logger.Info("sandbox: workers alone are confined, since clients are matched by executable", "landlock", version)
		return confinement{worker: &worker}, nil
	}
	front := sandbox.Front(path, c)
	logger.Info("sandbox: confined", "landlock", version)
	logger.Debug("sandbox: within reach", "read", front.Read, "write", front.Write)
	return confinement{front: &front, worker: &worker}, front.Enforce()
}

var errConfined = errors.New("the sandbox was made when the daemon started; restart it to put this configuration in force")

// reread reads the configuration again, and refuses one that the confinement
// leaves no way to serve.
func (f confinement) reread(path string) (*config.Config, error) {
	c, err := config.Load(path)
	if err != nil || f.front == nil {
		return c, err
	}
	if sandbox.WantsPrograms(c) {
		return nil, fmt.Errorf("a client is matched by executable, which a confined daemon can't see: %w", errConfined)
	}
	if err := f.front.Covers(sandbox.Front(path, c)); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errConfined)
	}
	return c, nil
}

// explain adds to an error that the sandbox may be behind what to do about it: to
// a module, a file out of reach is one that isn't there.
func (f confinement) explain(err error) error {
	if f.worker == nil || !errors.Is(err, hsm.ErrModule) && !errors.Is(err, hsm.ErrTokenNotFound) {
		return err
	}
	return fmt.Errorf("%w; the module reaches only what the sandbox lets it: if it keeps files elsewhere, name them under sandbox.read or sandbox.write", err)
}

// workerCommand is how the daemon starts its workers.
func (f confinement) workerCommand() []string {
	command := workerCommandLine()
	if f.worker == nil {
		return command
	}
	for _, path := range f.worker.Read {
		command = append(command, "--read", path)
	}
	for _, path := range f.worker.Write {
		command = append(command, "--write", path)
	}
	return command
}
