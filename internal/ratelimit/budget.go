package ratelimit

import (
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

// Budget is a name and its windows, which must all have room.
type Budget struct {
	Name    string
	Windows []rate.Window // if empty, the budget limits nothing; each has its own Per
}

func check(budgets []Budget, fleet bool) error {
	var problems []error
	names := make(map[string]bool, len(budgets))
	for _, b := range budgets {
		if b.Name == "" || names[b.Name] {
			problems = append(problems, fmt.Errorf("budget %q: give each budget its own name", b.Name))
		}
		names[b.Name] = true
		periods := make(map[time.Duration]bool, len(b.Windows))
		for _, w := range b.Windows {
			if err := w.Check(); err != nil {
				problems = append(problems, fmt.Errorf("budget %q, %v: %w", b.Name, w, err))
			}
			if w.Fleet && !fleet {
				problems = append(problems, fmt.Errorf("budget %q, %v: scope: fleet needs a store; set budgets.shared", b.Name, w))
			}
			if periods[w.Per] {
				problems = append(problems, fmt.Errorf("budget %q: two windows are per %v; keep the stricter one", b.Name, w.Per))
			}
			periods[w.Per] = true
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("%w: %w", ErrInvalid, errors.Join(problems...))
	}
	return nil
}
