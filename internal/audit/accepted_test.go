package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAcceptDamage(t *testing.T) {
	key := ed25519Key(t)
	for name, test := range map[string]struct {
		from, to  int
		gap       [2]int64
		unchanged bool // the tree goes on as if nothing had happened
	}{
		"one line":            {20, 20, [2]int64{20, 101}, true},
		"several lines":       {20, 23, [2]int64{20, 101}, false},
		"the header":          {0, 0, [2]int64{0, 101}, true},
		"the last record":     {100, 100, [2]int64{100, 101}, true},
		"several at the end":  {95, 100, [2]int64{95, 101}, false},
		"everything but some": {1, 90, [2]int64{1, 101}, false},
	} {
		t.Run(name, func(t *testing.T) {
			file := longLog(t, key, 100)
			known := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
			damage(t, file, test.from, test.to)
			done, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
			check(t, err)
			if done.Next != 102 || done.Good != test.gap[0] {
				t.Errorf("%+v", done)
			}
			l := start(t, key.options(file))
			if got := l.w.head.tree; (treeUntil(t, file) == known.Root) != test.unchanged {
				t.Errorf("the tree goes on from %v at %d, and was %v", treeUntil(t, file), got.size, known.Root)
			}
			l.add("after")
			l.stop()
			numbersOnce(t, logFiles(t, file))
			r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
			if len(r.Gaps) != 1 || [2]int64{r.Gaps[0].First, r.Gaps[0].Last} != test.gap || r.Unproven != 0 || r.Size != 106 {
				t.Errorf("%+v", r)
			}
			if !strings.Contains(r.Summary(), fmt.Sprintf("except that records %d to %d were damaged", test.gap[0], test.gap[1])) {
				t.Error(r.Summary())
			}
			for _, o := range []VerifyOptions{{All: true, FromStart: true}, {All: true, MinSize: 107}} {
				if _, err := Verify(t.Context(), []string{file}, o); !errors.Is(err, ErrIncomplete) {
					t.Errorf("%+v: %v", o, err)
				}
			}
			if _, err := AcceptDamage(key.options(file), Acceptance{Reason: "again"}); !errors.Is(err, ErrUndamaged) {
				t.Errorf("again: %v", err)
			}
		})
	}
}

// treeUntil returns the root in the header of a file.
func treeUntil(t *testing.T, file string) any {
	t.Helper()
	_, tree, err := parseHeader(readLines(t, file)[0])
	check(t, err)
	return tree.root()
}

// Evidence that someone changes afterwards is none.
func TestAcceptedFileChanged(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 100)
	damage(t, file, 20, 20)
	done, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
	check(t, err)
	var bad *BadLine
	damage(t, done.Kept, 50, 50)
	if _, err := Verify(t.Context(), []string{file}, VerifyOptions{All: true}); !errors.As(err, &bad) || bad.File != done.Kept {
		t.Errorf("got %v", err)
	}
	check(t, os.Remove(done.Kept)) // moved away: a gap that was accepted
	if r := mustVerify(t, []string{file}, VerifyOptions{All: true}); r.First != 102 {
		t.Errorf("%+v", r)
	}
}

// A start that crashed in the middle of a rotation, with an archive that can't
// be read to its end: only a person can say where the numbers go on.
func TestAcceptDamagedArchive(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	threeFiles(t, file, key)
	whole := compressed(t, readLines(t, file))
	archive := file + ".9.gz"
	check(t, os.WriteFile(archive, whole[:len(whole)/2], 0o600))
	check(t, os.Remove(file))
	if _, err := AcceptDamage(key.options(file), Acceptance{Reason: "truncated"}); err == nil || !strings.Contains(err.Error(), "--next") {
		t.Errorf("without a number: %v", err)
	}
	done, err := AcceptDamage(key.options(file), Acceptance{Reason: "truncated", Next: 1000})
	check(t, err)
	if done.Kept != archive || done.Next != 1000 {
		t.Errorf("%+v", done)
	}
	l := start(t, key.options(file))
	l.add("after")
	l.stop()
	if r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true}); len(r.Gaps) != 1 || r.Gaps[0].Last != 999 || r.Unproven != 0 {
		t.Errorf("%+v", r)
	}
	check(t, os.Rename(file, file+".10"))
	l = start(t, key.options(file)) // past the archive that was accepted
	l.add("later")
	l.stop()
	mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
}

// Damage can be found after the file was renamed. The error names the file that
// has it, that one is accepted, and the records in later files are not lost.
func TestAcceptDamageThatWasRotatedAway(t *testing.T) {
	for name, compress := range map[string]bool{"renamed": false, "compressed": true} {
		t.Run(name, func(t *testing.T) {
			key := ed25519Key(t)
			file := longLog(t, key, 100)
			damage(t, file, 20, 23)
			l, err := Open(key.options(file))
			check(t, err)
			pending := l.w.recheck
			l.w.recheck = nil // it will find the damage later
			r := run(t, l)
			check(t, os.Rename(file, file+".1"))
			check(t, r.Reopen(t.Context()))
			archive := file + ".1"
			if compress {
				archive += ".gz"
				check(t, os.WriteFile(archive, compressed(t, readLines(t, file+".1")), 0o600))
				check(t, os.Remove(file+".1"))
			}
			r.add("after")
			r.endRecheck(t.Context(), pending.run(t.Context()))
			eventually(t, "the damage is recorded", func() bool { return len(recoveriesIn(t, []string{file})) > 0 })
			if s := r.Status(); !errors.Is(s.Err, ErrDamaged) || !strings.Contains(s.Error, archive+":") {
				t.Errorf("%+v", s)
			}
			r.stop()
			if _, err := Open(key.options(file)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), archive+": line 21, record 20") {
				t.Errorf("got %v", err)
			}
			if _, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error", Next: 5000}); err == nil {
				t.Error("accepted a next number")
			}

			if compress { // it was interrupted between its two steps
				check(t, os.Rename(file, file+".20261128T010203.000000Z"))
			}
			done, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
			check(t, err)
			if done.Kept != archive || done.Good != 20 || done.Next != 105 {
				t.Errorf("%+v", done)
			}
			again := start(t, key.options(file))
			again.add("later")
			again.stop()
			for range 2 { // with the damaged file, and after it was moved away
				report := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
				if report.Size != 109 || report.Unproven != 0 || report.First == 0 && (len(report.Gaps) != 1 || report.Gaps[0].First != 20 || report.Gaps[0].Last != 101) {
					t.Errorf("%+v", report)
				}
				_ = os.Remove(archive)
			}
			start(t, key.options(file)).add("last")
		})
	}
}

// A file is not renamed for its size or age before it was verified: the next
// start would not read it again.
func TestNoRotationBeforeTheFileIsVerified(t *testing.T) {
	key := ed25519Key(t)
	o := key.options(longLog(t, key, 100))
	o.MaxSize = 1
	l, err := Open(o)
	check(t, err)
	l.w.created = time.Time{}
	l.w.rotateIfDue()
	if len(logFiles(t, o.File)) != 1 || l.w.rotation != nil {
		t.Error("rotated")
	}
	close(l.rechecked)
	l.w.opts.Key = nil // no checkpoint first
	l.w.rotateIfDue()
	if len(logFiles(t, o.File)) != 2 {
		t.Error("not rotated")
	}
	check(t, l.Close())
}

// Behind one bad line, the log still shows that it continues what the anchor
// has. Behind several it can't, so a person must accept that as well. What was
// accepted before stays accepted.
func TestAcceptDamageWithAnAnchor(t *testing.T) {
	for name, test := range map[string]struct {
		to         int
		rolledBack bool
	}{"one line": {5, false}, "several lines": {8, true}} {
		t.Run(name, func(t *testing.T) {
			a := newAnchored(t)
			a.run(t, jtis(0, 20)...)
			anchor, err := os.ReadFile(a.anchor)
			check(t, err)
			check(t, Acknowledge(a.options(), Acknowledgment{Size: 7, Reason: "earlier"}))
			damage(t, a.file, 5, test.to)
			_, err = AcceptDamage(a.options(), Acceptance{Reason: "disk error"})
			check(t, err)
			a.compare(t, test.rolledBack)
			if test.rolledBack {
				check(t, Acknowledge(a.options(), Acknowledgment{Size: 21, Reason: "disk error"}))
				a.compare(t, false)
			}
			if now, err := os.ReadFile(a.anchor); err != nil || bytes.Equal(now, anchor) {
				t.Errorf("the anchor was not replaced: %v", err)
			}
			mustVerify(t, []string{a.file}, VerifyOptions{Verifiers: a.verifiers, All: true})
		})
	}
}

// compare runs the log until it is compared with its anchor.
func (a anchored) compare(t *testing.T, rolledBack bool) {
	t.Helper()
	l := start(t, a.options())
	if l.Acknowledged() < 7 {
		t.Errorf("%d lines are acknowledged", l.Acknowledged())
	}
	eventually(t, "the comparison", func() bool { s := l.Status(); return !s.Unchecked || s.Err != nil })
	if err := l.Status().Err; errors.Is(err, ErrRolledBack) != rolledBack {
		t.Errorf("rolled back: %v", err)
	}
	if !rolledBack {
		l.add("after")
	}
	l.stop()
}

// A damaged file that was moved away takes no others with it: what is missing
// besides was not accepted.
func TestAcceptedDamageHidesNoOtherFile(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	files := threeFiles(t, file, key) // oldest first
	damage(t, file, 3, 5)
	done, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
	check(t, err)
	l := start(t, key.options(file))
	l.add("after")
	l.stop()
	all := VerifyOptions{Verifiers: key.verifiers, All: true}
	check(t, os.Remove(done.Kept))
	mustVerify(t, []string{file}, all)
	check(t, os.Remove(files[1]))
	var bad *BadLine
	if _, err := Verify(t.Context(), []string{file}, all); !errors.As(err, &bad) || bad.Problem != Dropped {
		t.Errorf("without another file: %v", err)
	}
}
