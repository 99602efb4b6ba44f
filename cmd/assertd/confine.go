package main

import (
	"errors"
	"fmt"

	"github.com/hashicorp/go-hclog"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/accounts"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/sandbox"
	"github.com/assertd/assertd/ipc"
)

// confinement is what the daemon can access while it runs. A reload can't
// extend it.
type confinement struct {
	front, worker *sandbox.Rules  // nil if not confined
	module        *sandbox.Module // what the modules are left with
	status        ipc.SandboxStatus
	accounts      *accounts.Helper // of a confined front
}

// confine conceals this process's memory, and limits its access to the files
// that the configuration requires.
func confine(path string, c *config.Config, logger hclog.Logger) (confinement, error) {
	if err := sandbox.Conceal(); err != nil {
		return confinement{}, err
	}
	module, err := sandbox.ModuleOf(c)
	if err != nil {
		return confinement{}, err
	}
	f := confinement{module: module, status: sandbox.Status(c)}
	f.log(logger)
	if f.status.Files == ipc.SandboxNothing {
		return f, nil
	}
	worker := sandbox.Worker(c)
	f.worker = &worker
	if f.status.Files == ipc.SandboxWorkers {
		return f, nil
	}
	return f.confineFront(path, c, logger)
}

func (f confinement) log(logger hclog.Logger) {
	for _, warning := range f.status.Warnings {
		logger.Warn("sandbox: " + warning)
	}
	if f.status.Files == ipc.SandboxWorkers {
		logger.Info("sandbox: the files of the front are not confined, because clients are matched by executable")
	}
	s := f.status
	logger.Info("sandbox", "files", s.Files, "landlock", s.Landlock, "signals", s.Signals, "system_calls", s.SystemCalls, "network", s.Network)
}

// confineFront confines this process and all that it starts from now on.
func (f confinement) confineFront(path string, c *config.Config, logger hclog.Logger) (confinement, error) {
	front := sandbox.Front(path, c)
	logger.Debug("sandbox: accessible paths", "read", front.Read, "write", front.Write)
	helper, err := accounts.Start([]string{self, lookupName}) // first: it must reach more than the front
	if err != nil {
		return confinement{}, err
	}
	f.front, f.accounts = &front, helper
	if err := front.Enforce(); err != nil {
		return confinement{}, errors.Join(err, f.close())
	}
	return f, nil
}

// close ends the process that looks up accounts, if there is one.
func (f confinement) close() error {
	if f.accounts == nil {
		return nil
	}
	return f.accounts.Close()
}

var errConfined = errors.New("a running daemon can't extend its sandbox; restart it to apply this configuration")

// reread reads the configuration again, and refuses one that needs more access
// than the sandbox allows.
func (f confinement) reread(path string) (*config.Config, error) {
	if f.front == nil {
		return config.Load(path)
	}
	c, err := config.Load(path, config.WithAccounts(f.accounts))
	if err != nil {
		return nil, err
	}
	if sandbox.MatchesExecutables(c) {
		return nil, fmt.Errorf("a client is matched by executable, which a confined daemon can't see: %w", errConfined)
	}
	if err := f.front.Covers(sandbox.Front(path, c)); err != nil {
		return nil, fmt.Errorf("%w: %w", err, errConfined)
	}
	return c, nil
}

// explain adds a remedy to an error that the sandbox may have caused: to a
// module, an inaccessible file is a missing one.
func (f confinement) explain(err error) error {
	if f.worker == nil || !errors.Is(err, hsm.ErrModule) && !errors.Is(err, hsm.ErrTokenNotFound) {
		return err
	}
	return fmt.Errorf("%w; if the module needs files that the sandbox denies, list them under sandbox.read or sandbox.write", err)
}

// workerCommand returns the command line that starts a worker.
func (f confinement) workerCommand() []string {
	command := append([]string{self, workerName}, f.module.Flags()...)
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
