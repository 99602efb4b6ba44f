package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// saveEvery is how often spent budgets go to their file. A crash gives back
// what was spent since: at most this much of a window.
const saveEvery = 5 * time.Second

// loadBudgets brings back what was spent of the long windows before a restart,
// and writes it again at once, so that a file that can't be written is found
// now and not after a crash. A damaged file is an error and not a fresh start:
// that would hand out every budget again.
func (d *Daemon) loadBudgets() error {
	file := d.Config.Budgets.File
	if file == "" {
		return nil
	}
	if err := d.limiter.Load(d.Now(), file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("budgets.file: %w", err)
	}
	return d.saveBudgets()
}

func (d *Daemon) saveBudgets() error {
	file := d.Config.Budgets.File
	if file == "" {
		return nil
	}
	if err := d.limiter.Save(d.Now(), file); err != nil {
		return fmt.Errorf("budgets.file: %w", err)
	}
	return nil
}
