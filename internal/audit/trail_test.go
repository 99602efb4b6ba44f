package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// rotate writes records until the log has so many files.
func (a anchored) rotate(t *testing.T, files int) {
	t.Helper()
	o := a.options()
	o.MaxSize, o.Interval = 2<<10, time.Millisecond
	l := start(t, o)
	for i := 0; len(logFiles(t, a.file)) < files; i++ {
		l.add(jtis(i, 1)...)
		time.Sleep(time.Millisecond)
	}
	l.add("last")
	l.stop()
}

// removeArchives removes all files of the log but the current one.
func (a anchored) removeArchives(t *testing.T) {
	t.Helper()
	for _, f := range logFiles(t, a.file) {
		if f != a.file {
			check(t, os.Remove(f))
		}
	}
}

// An anchor that could not be written for a while is behind the current file,
// and the files in between may be gone. The log itself has the proof.
func TestAnAnchorFromBeforeTheCurrentFile(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a")
	dir := filepath.Dir(a.anchor)
	check(t, os.Rename(dir, dir+".away"))
	a.rotate(t, 4)
	a.rotate(t, 6)
	a.removeArchives(t)
	check(t, os.RemoveAll(dir))
	check(t, os.Rename(dir+".away", dir))

	l, err := Open(a.options())
	check(t, err)
	if l.w.trail != nil || l.w.anchor.held {
		t.Error("the start looks for files")
	}
	check(t, l.Close())
	a.run(t, "b")
}

// Without a proof in the current file, the files since the anchor are read.
func TestTheFilesSinceTheAnchorAreRead(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a")
	older, err := os.ReadFile(a.anchor)
	check(t, err)
	a.rotate(t, 4)
	a.rotate(t, 6)
	check(t, os.WriteFile(a.anchor, older, 0o600))

	l := start(t, a.options())
	eventually(t, "all is compared", func() bool { return !l.Status().Unchecked })
	l.add("b")
	l.stop()
	if now, err := os.ReadFile(a.anchor); err != nil || bytes.Equal(now, older) {
		t.Errorf("the anchor was not replaced: %v", err)
	}

	check(t, os.WriteFile(a.anchor, older, 0o600))
	a.removeArchives(t)
	var rolledBack *RolledBackError
	if _, err := Open(a.options()); !errors.As(err, &rolledBack) || rolledBack.Why == "" {
		t.Errorf("without the files: %v", err)
	}
}

// An older copy that was put back must not pass for the log because someone
// without the key made it so long that its current file begins behind the
// anchor.
func TestAnOlderCopyThatWasRotatedIsRefusedWithAnAnchor(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a", "b")
	putBack := copyOf(t, a.dir)
	a.run(t, "c")
	kept, err := os.ReadFile(a.anchor)
	check(t, err)
	putBack()
	forger := newAnchored(t)
	forger.file = a.file
	forger.rotate(t, 4)

	l := start(t, a.options())
	eventually(t, "rolled back", func() bool { return errors.Is(l.Status().Err, ErrRolledBack) })
	l.stop()
	if now, err := os.ReadFile(a.anchor); err != nil || !bytes.Equal(now, kept) {
		t.Fatalf("the anchor was replaced: %v", err)
	}
	a.removeArchives(t)
	if _, err := Open(a.options()); !errors.Is(err, ErrRolledBack) {
		t.Errorf("without the archives: %v", err)
	}
}
