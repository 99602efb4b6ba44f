package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/test/frozendisk"
)

// anchored is a log with an anchor in another directory.
type anchored struct {
	testKey
	dir, file, anchor string
}

func newAnchored(t *testing.T) anchored {
	t.Helper()
	dir := t.TempDir()
	return anchored{ed25519Key(t), dir, filepath.Join(dir, "audit.jsonl"), filepath.Join(t.TempDir(), "anchor")}
}

func (a anchored) options() Options {
	o := a.testKey.options(a.file)
	o.Anchor = a.anchor
	return o
}

// run writes records, and a checkpoint at the end.
func (a anchored) run(t *testing.T, jtis ...string) {
	t.Helper()
	l := start(t, a.options())
	l.add(jtis...)
	l.stop()
}

// copyOf copies the log's directory, and returns a function that puts the copy
// back.
func copyOf(t *testing.T, dir string) (putBack func()) {
	t.Helper()
	kept := t.TempDir()
	check(t, os.CopyFS(filepath.Join(kept, "copy"), os.DirFS(dir)))
	return func() {
		t.Helper()
		check(t, os.RemoveAll(dir))
		check(t, os.Mkdir(dir, 0o700))
		check(t, os.CopyFS(dir, os.DirFS(filepath.Join(kept, "copy"))))
		entries, err := os.ReadDir(dir)
		check(t, err)
		for _, e := range entries {
			check(t, os.Chmod(filepath.Join(dir, e.Name()), 0o600))
		}
	}
}

// The daemon must not continue from an older copy of the whole directory.
func TestAnOlderCopyIsRefusedWithAnAnchor(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a", "b")
	putBack := copyOf(t, a.dir)
	a.run(t, "c")
	putBack()
	before := readLines(t, a.file)

	_, err := Open(a.options())
	var rolledBack *RolledBackError
	if !errors.As(err, &rolledBack) || rolledBack.Size != 5 || rolledBack.Lines != 4 {
		t.Fatalf("error %v", err)
	}
	if after := readLines(t, a.file); len(after) != len(before) {
		t.Errorf("the log grew from %d to %d lines", len(before), len(after))
	}

	known, err := os.ReadFile(a.anchor)
	check(t, err)
	var bad *BadLine
	_, err = Verify(t.Context(), logFiles(t, a.file), VerifyOptions{Verifiers: a.verifiers, Known: [][]byte{known}})
	if !errors.As(err, &bad) || bad.Problem != Dropped {
		t.Errorf("verify: %v", err)
	}
}

// The same for a directory that was emptied, and for another log of the same
// length.
func TestAReplacedLogIsRefusedWithAnAnchor(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a")
	check(t, os.Remove(a.file))
	if _, err := Open(a.options()); !errors.Is(err, ErrRolledBack) {
		t.Errorf("emptied: error %v", err)
	}

	other := newAnchored(t)
	other.run(t, "b")
	other.anchor, other.testKey = a.anchor, a.testKey
	_, err := Open(other.options())
	var rolledBack *RolledBackError
	if !errors.As(err, &rolledBack) || !rolledBack.Split {
		t.Errorf("replaced: error %v", err)
	}
}

// pad appends lines as someone without the key can.
func (a anchored) pad(t *testing.T, lines int) {
	t.Helper()
	o := a.options()
	o.Anchor, o.Key = "", nil
	l := start(t, o)
	l.add(jtis(100, lines)...)
	l.stop()
}

// An older copy must not pass for the log after someone made it longer.
func TestAnOlderCopyThatWasPaddedIsRefusedWithAnAnchor(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a", "b")
	putBack := copyOf(t, a.dir)
	a.run(t, "c")
	putBack()
	a.pad(t, 20)

	_, err := Open(a.options())
	var rolledBack *RolledBackError
	if !errors.As(err, &rolledBack) || !rolledBack.Split || rolledBack.Size != 5 {
		t.Fatalf("error %v", err)
	}
}

// The start does not read the lines before the newest checkpoint, whose
// signature it can't verify. So the anchor stays until they are compared.
func TestAForgedCheckpointDoesNotHideARollbackFromTheAnchor(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a", "b")
	putBack := copyOf(t, a.dir)
	a.run(t, "c")
	putBack()
	kept, err := os.ReadFile(a.anchor)
	check(t, err)
	forger := newAnchored(t)
	forger.file = a.file
	forger.run(t, jtis(100, 20)...)

	for range 2 { // the first time must not replace the anchor
		l := start(t, a.options())
		eventually(t, "rolled back", func() bool { return errors.Is(l.Status().Err, ErrRolledBack) })
		l.stop()
		if now, err := os.ReadFile(a.anchor); err != nil || !bytes.Equal(now, kept) {
			t.Fatalf("the anchor was replaced: %v", err)
		}
	}
}

// A disk does not answer, like a server that is away.
func TestAnAnchorThatDoesNotAnswerEndsTheStart(t *testing.T) {
	disk := frozendisk.NewMute(t)
	if disk == nil {
		return // this process can't mount one, which takes root
	}
	a := newAnchored(t)
	a.anchor = filepath.Join(disk.Dir, "anchor")
	o := a.options()
	disk.Freeze(t)
	o.Timeout = 100 * time.Millisecond

	_, err := Open(o)

	if !errors.Is(err, errNoAnswer) || !strings.Contains(err.Error(), a.anchor) {
		t.Errorf("error %v", err)
	}
}

// Each checkpoint waits for its own sync, so an older one may come later.
func TestTheAnchorNeverGoesBack(t *testing.T) {
	a := newAnchor(filepath.Join(t.TempDir(), "anchor"))
	for _, size := range []int64{5, 9, 7} {
		a.store(&signature{checkpoint: Checkpoint{Size: size}, note: []byte{byte('0' + size)}})
	}
	eventually(t, "newest stored", func() bool { a.wait(); text, _ := os.ReadFile(a.path); return string(text) == "9" })
}

// After a crash the anchor is behind, or the log has lost the line of the
// checkpoint in the anchor. Neither is a rollback.
func TestACrashIsNotARollback(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a")
	older, err := os.ReadFile(a.anchor)
	check(t, err)
	a.run(t, "b")
	newer, err := os.ReadFile(a.anchor)
	check(t, err)

	check(t, os.WriteFile(a.anchor, older, 0o600))
	a.run(t, "c")

	if stored, err := os.ReadFile(a.anchor); err != nil || bytes.Equal(stored, older) {
		t.Errorf("the anchor was not replaced: %v", err)
	}
	lines := readLines(t, a.file)
	lost := lines[:len(lines)-3] // ends right after record b, which the second checkpoint covers
	writeLines(t, a.file, lost)
	check(t, os.WriteFile(a.anchor, newer, 0o600))
	a.run(t, "d")
}

// A person can accept a loss. The log says who did and why, in a new file too,
// and a later rollback is refused again.
func TestAnAcknowledgedRollback(t *testing.T) {
	a := newAnchored(t)
	a.run(t, "a")
	putBack := copyOf(t, a.dir)
	a.run(t, jtis(0, 20)...)
	putBack()
	_, err := Open(a.options())
	var rolledBack *RolledBackError
	if !errors.As(err, &rolledBack) {
		t.Fatal(err)
	}
	accept := Acknowledgment{Size: rolledBack.Size, Reason: "restored from backup"}
	for _, bad := range []Acknowledgment{{Size: 0, Reason: "x"}, {Size: 1, Reason: " "}} {
		if Acknowledge(a.options(), bad) == nil {
			t.Errorf("%+v was accepted", bad)
		}
	}
	for _, tooMuch := range []Acknowledgment{
		{Size: accept.Size + 1, Reason: "a typing error"},
		{Size: accept.Size * 10, Reason: "a typing error", Witnessed: accept.Size + 1},
		{Size: 1 << 40, Reason: "everything", Unasked: true},
	} {
		if err := Acknowledge(a.options(), tooMuch); err == nil || !strings.Contains(err.Error(), "the maximum is") {
			t.Errorf("%+v: %v", tooMuch, err)
		}
	}
	check(t, Acknowledge(a.options(), Acknowledgment{Size: accept.Size - 1, Reason: "too little"}))
	if _, err := Open(a.options()); !errors.Is(err, ErrRolledBack) {
		t.Errorf("too little was accepted: %v", err)
	}
	check(t, Acknowledge(a.options(), accept))

	kept, err := os.ReadFile(a.anchor)
	check(t, err)
	o := a.options()
	o.MaxSize, o.Interval = 1, time.Millisecond
	l := start(t, o)
	l.add("b")
	eventually(t, "rotation", func() bool { return len(logFiles(t, a.file)) > 1 })
	l.stop()
	lines := readLines(t, logFiles(t, a.file)[1])
	if text := string(bytes.Join(lines, nil)); !strings.Contains(text, `"kind":"acknowledgment"`) ||
		!strings.Contains(text, `"reason":"restored from backup"`) || !strings.Contains(text, `"by":"`) {
		t.Errorf("no acknowledgment in\n%s", text)
	}
	mustVerify(t, logFiles(t, a.file), VerifyOptions{Verifiers: a.verifiers})

	check(t, os.WriteFile(a.anchor, kept, 0o600)) // the witness of what was accepted stays accepted
	a.run(t, jtis(100, 40)...)
	check(t, os.Remove(a.file))
	for _, f := range logFiles(t, a.file) {
		check(t, os.Remove(f))
	}
	if _, err := Open(a.options()); !errors.Is(err, ErrRolledBack) {
		t.Errorf("a second rollback: %v", err)
	}
}

// An anchor on a full or broken file system shows, and stops nothing.
func TestAnAnchorThatCannotBeWritten(t *testing.T) {
	a := newAnchored(t)
	a.anchor = filepath.Join(t.TempDir(), "missing", "anchor")
	l := start(t, a.options())
	l.add("a")
	l.stop()
	if s := l.w.status(); !strings.Contains(s.AnchorError, "no such file") {
		t.Errorf("status %+v", s)
	}
	check(t, os.MkdirAll(filepath.Dir(a.anchor), 0o700))
	check(t, os.WriteFile(a.anchor, []byte("not a checkpoint"), 0o600))
	if _, err := Open(a.options()); err == nil || !strings.Contains(err.Error(), a.anchor) {
		t.Errorf("error %v", err)
	}
}

// Someone who finds a rollback while the log is open stops it for good.
func TestARollbackStopsAnOpenLog(t *testing.T) {
	a := newAnchored(t)
	l := start(t, a.options())
	l.add("a")
	if !l.RollBack(&RolledBackError{By: "a test", Size: 9, Lines: 3}) {
		t.Error("not stopped")
	}
	if err := l.Append(t.Context(), sample("b")); !errors.Is(err, ErrRolledBack) || !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if s := l.Status(); !errors.Is(s.Err, ErrRolledBack) || s.Refused != 1 {
		t.Errorf("status %+v", s)
	}
	l.stop()
	check(t, Acknowledge(a.options(), Acknowledgment{Size: 9, Reason: "a test", Witnessed: 9}))
	l = start(t, a.options())
	if l.RollBack(&RolledBackError{By: "a test", Size: 9, Lines: 3}) {
		t.Error("stopped, although acknowledged")
	}
	l.add("c")
}

// What a daemon that was killed left beside the anchor and the log is removed.
func TestAKilledDaemonsTemporaryFilesAreRemoved(t *testing.T) {
	a := newAnchored(t)
	leftovers := []string{filepath.Join(filepath.Dir(a.anchor), ".anchor.42"), filepath.Join(a.dir, ".audit.jsonl.42")}
	for _, name := range leftovers {
		check(t, os.WriteFile(name, []byte("half"), 0o600))
	}
	a.run(t, "a")
	for _, name := range leftovers {
		if _, err := os.Lstat(name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
