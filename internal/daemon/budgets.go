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

// loadBudgets brings back what was spent of the long windows before a restart.
// A damaged file is an error and not a fresh start: that would hand out every
// budget again.
func (d *Daemon) loadBudgets() error {
	file := d.Config.Budgets.File
	if file == "" {
		return nil
	}
	err := d.limiter.Load(d.Now(), file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("spent budgets in %s: %w; remove the file to begin with full budgets", file, err)
	}
	return nil
}

func (d *Daemon) saveBudgets() error {
	if d.Config.Budgets.File == "" {
		return nil
	}
	return d.limiter.Save(d.Now(), d.Config.Budgets.File)
}
