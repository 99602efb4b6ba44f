package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/daemon"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/progress"
	"github.com/assertd/assertd/internal/sandbox"
)

// tokens are the tokens of a configuration, as the commands that only read them
// find them.
type tokens struct {
	path string
	user string // that the daemon runs as; empty for this one
	pin  pinFlags
}

func (t *tokens) register(cmd *cobra.Command) {
	configFlag(cmd, &t.path)
	t.pin.register(cmd, cmd.Flags())
	cmd.Flags().StringVar(&t.user, "user", "", "`user` that the daemon runs as, if it is another one than this")
}

// load reads the configuration, with the PIN from the command line. Root then
// runs the modules as the daemon's user: without its capabilities, which the
// modules don't get, root can't read what belongs to that user.
func (t *tokens) load() (*config.Config, error) {
	c, err := loadFor(t.path, t.user)
	if err != nil {
		return nil, err
	}
	if t.user != "" && c.Sandbox.User == "" && os.Geteuid() == 0 && c.Trust().User != 0 {
		c.Sandbox.User = t.user
	}
	return c, t.pin.apply(c)
}

// read opens the tokens of a configuration in workers that are left with as
// little as the daemon's, except that files are not confined, and calls do.
func (t *tokens) read(ctx context.Context, c *config.Config, stderr io.Writer, do func(context.Context, *inspect.Inspection) error) error {
	module, err := sandbox.ModuleOf(c)
	if err != nil {
		return err
	}
	if asksNobody(c) {
		line := progress.Show(ctx, stderr, progress.Task{Name: readingTokens})
		defer line.Stop()
		next := do
		do = func(ctx context.Context, i *inspect.Inspection) error { line.Stop(); return next(ctx, i) }
	}
	err = daemon.Inspect(ctx, daemon.Options{
		Config: c, Logger: hclog.NewNullLogger(), WorkerCommand: confinement{module: module}.workerCommand(), Now: now,
	}, do)
	if errors.Is(err, hsm.ErrPINSource) {
		err = t.pin.advise(err)
	}
	if t.user == "" && os.Geteuid() == 0 && mayBeHidden(c, err) {
		err = fmt.Errorf("%w; %s", err, nameUser)
	}
	return err
}

// mayBeHidden reports whether a module that is there fails as it does if root
// can't read its files without capabilities.
func mayBeHidden(c *config.Config, err error) bool {
	if !errors.Is(err, hsm.ErrModule) && !errors.Is(err, hsm.ErrTokenNotFound) {
		return false
	}
	return !slices.ContainsFunc(c.HSM.All(), func(t config.NamedToken) bool { _, err := os.Stat(t.Module); return err != nil })
}

// readingTokens is shown while tokens are opened and read: network HSMs and
// smart cards take seconds.
const readingTokens = "reading the keys"

// asksNobody reports whether no PIN is typed. A progress line would erase the
// prompt.
func asksNobody(c *config.Config) bool {
	return !slices.ContainsFunc(c.HSM.All(), func(t config.NamedToken) bool { return t.PIN != nil && (t.PIN.Prompt || t.PIN.Pad) })
}
