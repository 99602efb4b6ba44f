package ratelimit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

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
			data, err := l.Snapshot(epoch.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			fresh := mustNew(t, daily)
			if err := fresh.Restore(test.restarted, data); err != nil {
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
	data, err := l.Snapshot(epoch)
	if err != nil {
		t.Fatal(err)
	}
	fresh := mustNew(t, daily)
	mustTake(t, fresh, epoch, 5, "b")
	if err := fresh.Restore(epoch, data); err != nil {
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

func TestCorruptSnapshots(t *testing.T) {
	l := mustNew(t, daily)
	mustTake(t, l, epoch, 10, "b")
	good, err := l.Snapshot(epoch)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(from, to string) []byte {
		edited := bytes.Replace(good, []byte(from), []byte(to), 1)
		if bytes.Equal(edited, good) {
			t.Fatalf("nothing to replace: %s in %s", from, good)
		}
		return edited
	}
	for name, data := range map[string][]byte{
		"empty":             {},
		"null":              []byte("null"),
		"no members":        []byte("{}"),
		"cut off":           good[:len(good)-1],
		"more after it":     append(bytes.Clone(good), '{'),
		"another version":   edit(`"version":1`, `"version":2`),
		"an unknown member": edit(`"version":1`, `"version":1,"x":1`),
		"a negative count":  edit(`"count":10`, `"count":-10`),
		"a huge count":      edit(`"count":10`, `"count":10000000000000000`),
		"a future take":     edit(`"last_age_ns":0`, `"last_age_ns":-5`),
		"an ancient take":   edit(`"first_age_ns":0`, `"first_age_ns":900000000000000000`),
		"no runs":           edit(`"runs":[`, `"runs":[],"runs_":[`),
		"a window twice":    edit(`"per_ns":86400000000000`, `"per_ns":60000000000`),
		"no time":           edit(`"2026-03-01T12:00:00Z"`, `"0001-01-01T00:00:00Z"`),
	} {
		fresh := mustNew(t, daily)
		if err := fresh.Restore(epoch, data); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		if left := fresh.Left(epoch, "b"); left[0].Remaining != 100 {
			t.Errorf("%s: restored in part: %+v", name, left)
		}
	}
}

func TestSaveAndLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	l := mustNew(t, daily)
	if err := l.Load(epoch, path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("no file: %v", err)
	}
	for range 2 { // the second replaces the first
		mustTake(t, l, epoch, 5, "b")
		if err := l.Save(epoch, path); err != nil {
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
	if err := fresh.Load(epoch, path); err != nil {
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
		if err := l.Save(epoch, path); err != nil {
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
	if l.Save(epoch, path) == nil {
		t.Fatal("saved into a missing directory")
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Save(epoch, path), os.Remove(path)); err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesFilesWritableByOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	l := mustNew(t, daily)
	if err := l.Save(epoch, path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o620); err != nil {
		t.Fatal(err)
	}
	if err := l.Load(epoch, path); err == nil {
		t.Error("loaded")
	}
}

func TestFailedSaveKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "budgets.json")
	if err := os.Mkdir(path, 0o700); err != nil { // nothing can be renamed onto a directory
		t.Fatal(err)
	}
	if err := mustNew(t, daily).Save(epoch, path); err == nil {
		t.Fatal("saved over a directory")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("a temporary file is left: %v, %v", entries, err)
	}
}

func FuzzRestore(f *testing.F) {
	l, err := New([]Budget{daily})
	if err != nil {
		f.Fatal(err)
	}
	if _, err := l.Take(epoch, 10, "b"); err != nil {
		f.Fatal(err)
	}
	good, err := l.Snapshot(epoch)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"version":1,"written":"2026-03-01T12:00:00Z","windows":[]}`))
	f.Add([]byte(`{"version":1,"written":"9999-03-01T12:00:00Z","windows":[
		{"budget":"b","per_ns":60000000000,"runs":[{"first_age_ns":9,"last_age_ns":1,"count":7}]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		l := mustNew(t, daily)
		if err := l.Restore(epoch, data); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("restore: %v", err)
			}
			return
		}
		before := l.Left(epoch, "b")
		for i, left := range before {
			if left.Remaining < 0 || left.Remaining > daily.Windows[i].Capacity() || left.ResetIn < 0 || left.ResetIn > 2*left.Window.Per {
				t.Fatalf("left: %+v", left)
			}
		}
		second := restart(t, l, epoch, daily)
		for i, left := range second.Left(epoch, "b")[:2] {
			if left.Remaining != before[i].Remaining {
				t.Fatalf("a round trip turned %+v into %+v", before[i], left)
			}
		}
	})
}
