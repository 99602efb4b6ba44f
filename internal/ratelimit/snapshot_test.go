package ratelimit

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/trustpath"
)

// wall is an instant on a machine without a boot clock.
func wall(at time.Time) Instant { return Instant{Wall: at} }

// inProcess writes files in this process.
type inProcess struct{}

func (inProcess) Update(_ context.Context, path string, content []byte, mode fs.FileMode) (bool, error) {
	return atomicfile.Update(path, content, mode)
}

var daily = Budget{"b", []rate.Window{{Limit: 100, Per: 24 * time.Hour}, {Limit: 60, Per: time.Minute, Burst: 50}, {Limit: 10, Per: time.Second}}}

func TestRestartKeepsLongWindows(t *testing.T) {
	l := mustNew(t, daily)
	mustTake(t, l, epoch, 10, "b")
	mustTake(t, l, epoch.Add(time.Hour), 10, "b")
	for _, test := range []struct {
		name                  string
		restarted             time.Time
		day, minute, inSecond int
	}{
		{"at once", epoch.Add(time.Hour), 80, 40, 10},
		{"after some seconds", epoch.Add(time.Hour + 4*time.Second), 80, 44, 10},
		{"with the clock set back", epoch.Add(-30 * 24 * time.Hour), 80, 40, 10},
		{"when the first takes are over", epoch.Add(24 * time.Hour), 90, 50, 10},
		{"when all are over", epoch.Add(25 * time.Hour), 100, 50, 10},
	} {
		t.Run(test.name, func(t *testing.T) {
			data, err := l.Snapshot(wall(epoch.Add(time.Hour)))
			if err != nil {
				t.Fatal(err)
			}
			fresh := mustNew(t, daily)
			var future *FutureError
			if err := fresh.Restore(wall(test.restarted), data); err != nil && !errors.As(err, &future) {
				t.Fatal(err)
			}
			left := fresh.Left(test.restarted, "b")
			if left[0].Remaining != test.day || left[1].Remaining != test.minute || left[2].Remaining != test.inSecond {
				t.Errorf("left: %+v", left)
			}
		})
	}
}

func TestRestoreAddsToUsage(t *testing.T) {
	l := mustNew(t, daily)
	mustTake(t, l, epoch, 10, "b")
	data, err := l.Snapshot(wall(epoch))
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, daily)
	mustTake(t, fresh, epoch, 5, "b")
	if err := fresh.Restore(wall(epoch), data); err != nil {
		t.Fatal(err)
	}
	if left := fresh.Left(epoch, "b"); left[0].Remaining != 85 || left[1].Remaining != 35 {
		t.Errorf("left: %+v", left)
	}
}

func TestRestoreIgnoresRemovedWindows(t *testing.T) {
	l := mustNew(t, daily, Budget{"gone", daily.Windows})
	mustTake(t, l, epoch, 10, "b", "gone")
	restart(t, l, epoch, Budget{"b", []rate.Window{{Limit: 5, Per: time.Hour}}})
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	l := mustNew(t, daily)
	if err := l.Load(wall(epoch), path, trustpath.Rules{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	for range 2 { // the second replaces the first
		mustTake(t, l, epoch, 5, "b")
		if err := l.Save(t.Context(), inProcess{}, wall(epoch), path); err != nil {
			t.Fatal(err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode: %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("other files are left: %v, %v", entries, err)
	}
	fresh := mustNew(t, daily)
	if err := fresh.Load(wall(epoch), path, trustpath.Rules{}); err != nil {
		t.Fatal(err)
	}
	if left := fresh.Left(epoch, "b"); left[0].Remaining != 90 {
		t.Errorf("left: %+v", left)
	}
}

// An idle daemon doesn't write and sync the same usage every few seconds.
func TestSaveWritesOnlyWhatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	l := mustNew(t, daily)
	written := func() bool {
		t.Helper()
		if err := l.Save(t.Context(), inProcess{}, wall(epoch), path); err != nil {
			t.Fatal(err)
		}
		err := os.Remove(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		return err == nil
	}
	if !written() {
		t.Error("the first save wrote nothing")
	}
	taken := take(t, l, epoch, 1, "b")
	for _, step := range []struct {
		name string
		do   func()
		want bool
	}{
		{"a take", func() {}, true},
		{"nothing", func() {}, false},
		{"a refused take", func() { l.Take(epoch, 11, "b") }, false},
		{"a look", func() { l.Left(epoch, "b") }, false},
		{"a refund", func() { taken.Refund(epoch) }, true},
	} {
		if step.do(); written() != step.want {
			t.Errorf("after %s: written is %v", step.name, !step.want)
		}
	}
}

// A save that fails is tried again, although nothing changed.
func TestFailedSaveIsTriedAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "away")
	path := filepath.Join(dir, "budgets.json")
	l := mustNew(t, daily)
	if l.Save(t.Context(), inProcess{}, wall(epoch), path) == nil {
		t.Fatal("saved into a missing directory")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Save(t.Context(), inProcess{}, wall(epoch), path), os.Remove(path)); err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesFilesWritableByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	l := mustNew(t, daily)
	if err := l.Save(t.Context(), inProcess{}, wall(epoch), path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if err := l.Load(wall(epoch), path, trustpath.Rules{}); err == nil {
		t.Error("loaded")
	}
}

func TestFailedSaveKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "budgets.json")
	if err := os.Mkdir(path, 0o700); err != nil { // nothing can be renamed onto a directory
		t.Fatal(err)
	}
	if err := mustNew(t, daily).Save(t.Context(), inProcess{}, wall(epoch), path); err == nil {
		t.Fatal("saved over a directory")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("a temporary file is left: %v, %v", entries, err)
	}
}
