package audit

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// The operations of the disk are only noted here, as if they were under way:
// test/e2e freezes real ones.
func TestAppendDoesNotWaitForTheDisk(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(Options{File: file, Timeout: 3 * time.Second})
		check(t, err)
		defer l.Close()
		l.disk.begin(opWrite)
		began := time.Now()
		for i, want := range []time.Duration{3 * time.Second, 0} { // the second one does not wait again
			before := time.Now()
			err := l.Append(t.Context(), sample("a"))
			if took := time.Since(before); !errors.Is(err, ErrUnavailable) || !errors.Is(err, errNoAnswer) || took != want {
				t.Errorf("append %d: %v after %v", i, err, took)
			}
			time.Sleep(time.Millisecond)
		}
		s := l.Status()
		if !errors.Is(s.Err, errNoAnswer) || s.Error == "" || s.Refused != 2 || s.Since.Sub(began) > time.Millisecond {
			t.Errorf("%+v", s)
		}
		l.disk.end(opWrite)
		if s := l.Status(); s.Err != nil {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// Records wait for a stuck background sync too: what it covers may be lost.
func TestStuckSync(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(Options{File: file, Timeout: time.Second})
		check(t, err)
		defer l.Close()
		l.disk.begin(opSync)
		check(t, l.w.write(nil))
		time.Sleep(2 * time.Second)
		if err := l.w.write([]*entry{{}}); !errors.Is(err, errNoAnswer) || l.Status().Err == nil {
			t.Errorf("got %v", err)
		}
		l.disk.end(opSync)
		l.w.tick()
		if s := l.w.status(); s.Err != nil {
			t.Errorf("afterwards: %+v", s)
		}
	})
}

// The end of Run leaves a write behind that is under way, and keeps its lock.
func TestRunGivesUpOnTheDisk(t *testing.T) {
	o := Options{File: filepath.Join(t.TempDir(), "audit.jsonl"), Timeout: 50 * time.Millisecond}
	l, err := Open(o)
	check(t, err)
	l.transition(opened, running)
	l.disk.begin(opWrite)
	close(l.rechecked)
	ended, stop := context.WithCancel(t.Context())
	stop()
	if err := l.watch(ended); !errors.Is(err, errNoAnswer) {
		t.Errorf("run: %v", err)
	}
	if err := l.Close(); !errors.Is(err, errNoAnswer) {
		t.Errorf("close: %v", err)
	}
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Errorf("open again: %v", err)
	}
}
