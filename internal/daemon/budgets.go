package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/ratelimit"
)

// loadBudgets restores what was spent of the long windows before a restart. It
// saves the file again at once: if that fails, the operator must find out now
// and not after a crash.
func (d *Daemon) loadBudgets(ctx context.Context) error {
	file := d.Config.Budgets.File
	if file == "" {
		return nil
	}
	err := d.limiter.Load(ratelimit.At(d.Now()), file, d.Config.Trust())
	switch {
	case errors.As(err, new(*ratelimit.FutureError)):
		d.Logger.Warn("budgets.file is from the future", "file", file, "error", err)
	case errors.As(err, new(*ratelimit.DamagedError)):
		d.Logger.Error("budgets.file is damaged", "file", file, "error", err)
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("budgets.file: %w", err)
	}
	if err := d.budgetSaver().Save(ctx); err != nil {
		return fmt.Errorf("budgets.file: %w", err)
	}
	return nil
}

func (d *Daemon) budgetSaver() *ratelimit.Saver {
	return &ratelimit.Saver{Limiter: d.limiter, Path: d.Config.Budgets.File, Files: d.files(), Now: d.Now, Logger: d.Logger}
}

// saveBudgets saves while the group runs.
func (d *Daemon) saveBudgets(g *group) {
	if d.Config.Budgets.File != "" {
		g.run(d.budgetSaver().Run)
	}
}

// host is this host's name, "" if it isn't known.
func (d *Daemon) host() string {
	host, err := os.Hostname()
	if err != nil {
		d.Logger.Warn("freezes don't name this host", "error", err)
	}
	return host
}

// newFreezes prepares to keep what operators freeze, in a file beside the
// budgets.
func (d *Daemon) newFreezes() {
	options := freeze.Options{
		Signer: d.signer, RecordRequired: d.Config.Audit.Required, File: d.Config.FreezesFile(), Files: d.files(),
		Trust: d.Config.Trust(), Host: d.host(), Now: d.Now, Logger: d.Logger,
	}
	if log := d.trail.Log(); log != nil {
		options.Log = log
	}
	if d.shared != nil {
		options.Fleet = d.shared
	}
	d.freezes = freeze.New(options)
}
