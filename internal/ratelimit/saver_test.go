package ratelimit

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/internal/logging/logtest"
)

// disk is a disk that can hang. Only internal/atomicfile and test/e2e have real
// ones: this one hangs in a synctest bubble.
type disk struct {
	hung, answers chan struct{}
	writes        int
}

func (d *disk) Update(ctx context.Context, _ string, _ []byte, _ fs.FileMode) (bool, error) {
	select {
	case <-d.hung:
		select {
		case <-d.answers:
		case <-ctx.Done():
			return false, errors.New("stuck")
		}
	default:
	}
	d.writes++
	return true, nil
}

func savedTo(t *testing.T, d *disk) (l *Limiter, journal *logtest.Journal, stop func()) {
	l, journal = mustNew(t, daily), &logtest.Journal{}
	s := &Saver{Limiter: l, Path: "/budgets", Files: d, Now: time.Now, Logger: journal}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	return l, journal, func() { cancel(); <-ended }
}

func TestSaverSavesAtIntervalsAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{hung: make(chan struct{}), answers: make(chan struct{})}
		l, journal, stop := savedTo(t, d)
		for want := 1; want <= 3; want++ {
			mustTake(t, l, time.Now(), 1, "b")
			time.Sleep(SaveEvery)
			synctest.Wait()
			if d.writes != want {
				t.Errorf("%d writes, want %d", d.writes, want)
			}
		}
		mustTake(t, l, time.Now(), 1, "b")
		stop()
		if d.writes != 4 || len(journal.Take()) != 0 {
			t.Errorf("%d writes", d.writes)
		}
	})
}

// A disk that hangs holds up no take, gets one write at a time, and holds up
// the stop for two seconds.
func TestAHungDiskHoldsUpNoTakeAndNoStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{hung: make(chan struct{}), answers: make(chan struct{})}
		l, journal, stop := savedTo(t, d)
		close(d.hung)
		for range 40 {
			began := time.Now()
			mustTake(t, l, time.Now(), 1, "b")
			if took := time.Since(began); took != 0 {
				t.Errorf("a take took %v", took)
			}
			time.Sleep(SaveEvery / 3)
		}
		if d.writes != 0 {
			t.Errorf("%d writes to a disk that hangs", d.writes)
		}
		began := time.Now()
		stop()
		if took := time.Since(began); took != 2*time.Second {
			t.Errorf("the stop took %v", took)
		}
		if lines := strings.Join(journal.Take(), "\n"); !strings.Contains(lines, "ERROR budgets not saved") {
			t.Errorf("the log says %q", lines)
		}
	})
}
