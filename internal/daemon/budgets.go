package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"time"
)

// saveEvery is how often spent budgets are saved. A crash gives back what was
// spent since the last save.
const saveEvery = 5 * time.Second

// loadBudgets restores what was spent of the long windows before a restart. It
// saves the file again at once: if that fails, the operator must find out now
// and not after a crash. A damaged file is an error: starting fresh would give
// back every budget.
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
