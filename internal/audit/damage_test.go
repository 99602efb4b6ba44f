package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// longLog writes a log of n records with a checkpoint over all of them.
func longLog(t *testing.T, key testKey, n int) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, key.options(file))
	l.add(jtis(0, n)...)
	l.stop()
	return file
}

// damage overwrites a byte of each of the lines from one to another with zero.
func damage(t *testing.T, file string, from, to int) {
	t.Helper()
	lines := readLines(t, file)
	for _, line := range lines[from : to+1] {
		line[len(line)/2] = 0
		if from != to { // not even their links
			clear(line)
		}
	}
	writeLines(t, file, lines)
}

// numbersOnce fails the test if two lines in the files have the same number.
func numbersOnce(t *testing.T, files []string) {
	t.Helper()
	seen := map[int64]string{}
	for _, f := range files {
		for _, line := range readLines(t, f) {
			l, err := parseLink(bytes.TrimSuffix(line, []byte("\n")))
			if err != nil {
				continue
			}
			if other, again := seen[l.seq]; again {
				t.Errorf("record %d is in %s and in %s", l.seq, other, f)
			}
			seen[l.seq] = f
		}
	}
}

// The start reads only what the newest checkpoint does not cover. Damage before
// that stops the log as soon as it is found, and keeps it from starting again.
func TestDamageFoundWhileRunning(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 100)
	damage(t, file, 20, 20)
	l := start(t, key.options(file))
	eventually(t, "the damage is found", func() bool { return errors.Is(l.Status().Err, ErrDamaged) })
	if err := l.Append(t.Context(), sample("late")); !errors.Is(err, ErrDamaged) {
		t.Errorf("got %v", err)
	}
	l.stop()
	if s := l.Status(); !s.Unchecked || !errors.Is(s.Err, ErrDamaged) {
		t.Errorf("%+v", s)
	}
	if _, err := Open(key.options(file)); !errors.Is(err, ErrDamaged) {
		t.Errorf("started again: %v", err)
	}
	if found := recoveriesIn(t, []string{file}); len(found) != 1 || !bytes.Contains(found[0], []byte("record 20")) {
		t.Errorf("recorded %s", found)
	}
}

// After damage was found, no file begins that a later start would continue
// from: not by size or age, not by logrotate, not because someone touched the
// file, and not because a checkpoint was being signed at that moment.
func TestDamagedLogStartsNoFile(t *testing.T) {
	for name, disturb := range map[string]func(*testing.T, *runningLog){
		"rotation": func(*testing.T, *runningLog) {},
		"logrotate": func(t *testing.T, l *runningLog) {
			check(t, os.Rename(l.opts.File, l.opts.File+".1"))
			if err := l.Reopen(t.Context()); !errors.Is(err, ErrDamaged) {
				t.Errorf("reopened: %v", err)
			}
		},
		"change by others": func(t *testing.T, l *runningLog) {
			f, err := os.OpenFile(l.opts.File, os.O_APPEND|os.O_WRONLY, 0)
			check(t, err)
			_, err = f.WriteString("x")
			check(t, errors.Join(err, f.Close()))
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := ed25519Key(t)
			o := key.options(longLog(t, key, 100))
			damage(t, o.File, 20, 20)
			found := make(chan struct{})
			slow := o
			slow.Key = func(context.Context) (Key, error) { <-found; return key.key, nil }
			slow.Interval, slow.CheckpointInterval, slow.MaxSize = time.Millisecond, time.Millisecond, 1
			l := start(t, slow)
			eventually(t, "the damage is recorded", func() bool { return len(recoveriesIn(t, []string{o.File})) > 0 })
			close(found)
			disturb(t, l)
			size := func() int64 { return l.Status().Bytes }
			for before := int64(-1); before != size(); before = size() {
				time.Sleep(20 * slow.Interval) // many ticks, each of which could rotate
			}
			l.stop()
			if again, err := Open(o); !errors.Is(err, ErrDamaged) {
				t.Errorf("started again: %v", err)
				check(t, again.Close())
			}
		})
	}
}

// What the start leaves out is verified, and then nothing is said about it.
func TestStartReadsOnlyBehindTheCheckpoint(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 1000)
	want, _, err := readTail(file, bytes.NewReader(bytes.Join(readLines(t, file), nil)))
	check(t, err)
	l, err := Open(key.options(file))
	check(t, err)
	if !l.Status().Unchecked || l.w.head.tree.root() != want.head.tree.root() || l.w.head.prev != want.head.prev || l.w.checkpointEnd != want.checkpointEnd || !l.w.created.Equal(want.created) {
		t.Errorf("continues at %d, want %d", l.w.head.tree.size, want.head.tree.size)
	}
	check(t, l.Close())
	running := start(t, key.options(file))
	eventually(t, "all is verified", func() bool { return !running.Status().Unchecked })
	running.add("next")
	running.stop()
	mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, FromStart: true, MinSize: 1003})
}

// Builds from before checkpoints had an edge left logs that must be read whole.
func TestStartWithoutAnEdge(t *testing.T) {
	key := ed25519Key(t)
	o := key.options(filepath.Join(t.TempDir(), "audit.jsonl"))
	o.Key = nil
	l := start(t, o)
	l.add(jtis(0, 100)...)
	l.stop()
	again, err := Open(o)
	check(t, err)
	if s := again.Status(); s.Unchecked || s.Lines != 101 {
		t.Errorf("%+v", s)
	}
	check(t, again.Close())
}

// With an archive that can't be read, an older one would give numbers twice.
func TestUnreadableNewestArchive(t *testing.T) {
	for name, spoil := range map[string]func(*testing.T, string) string{
		"not compressed at all": func(t *testing.T, file string) string {
			check(t, os.WriteFile(file+".9.gz", []byte("no"), 0o600))
			return file + ".9.gz"
		},
		"truncated": func(t *testing.T, file string) string {
			whole := compressed(t, readLines(t, file))
			check(t, os.WriteFile(file+".9.gz", whole[:len(whole)/2], 0o600))
			return file + ".9.gz"
		},
		"nothing left": func(t *testing.T, file string) string {
			check(t, os.WriteFile(file+".9.gz", nil, 0o600))
			return file + ".9.gz"
		},
		"a copy beside it": func(t *testing.T, file string) string {
			lines := readLines(t, file)
			check(t, os.Rename(file, file+".20261121T010203.000000Z"))
			writeLines(t, file+".bak", lines[:2])
			writeLines(t, file, nil)
			return file + ".bak"
		},
		"not a log": func(t *testing.T, file string) string {
			check(t, os.WriteFile(file+".9", []byte("no\n"), 0o600))
			return file + ".9"
		},
	} {
		t.Run(name, func(t *testing.T) {
			key := ed25519Key(t)
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			threeFiles(t, file, key)
			spoiled := spoil(t, file)
			check(t, os.Remove(file))
			if _, err := Open(key.options(file)); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), spoiled) {
				t.Errorf("got %v", err)
			}
			check(t, os.Chmod(spoiled, 0))
			withoutPrivileges(t, file, func() {
				if _, err := predecessor(file); err == nil || !strings.Contains(err.Error(), spoiled) {
					t.Errorf("without permission: %v", err)
				}
			})
		})
	}
}

// withoutPrivileges does something as a user who can read the archives of a log
// as their modes say. Root can read them all.
func withoutPrivileges(t *testing.T, file string, something func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		something()
		return
	}
	for dir := filepath.Dir(file); filepath.Clean(dir) != filepath.Clean(os.TempDir()); dir = filepath.Dir(dir) {
		check(t, os.Chmod(dir, 0o755))
	}
	for _, f := range logFiles(t, file) {
		info, err := os.Stat(f)
		check(t, err)
		if info.Mode().Perm() != 0 {
			check(t, os.Chmod(f, 0o644))
		}
	}
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	check(t, unix.Setfsuid(nobody))
	defer func() { check(t, unix.Setfsuid(0)) }()
	something()
}

// The newest archive can also be on another disk, with a link to it.
func TestNewestArchiveIsALink(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	threeFiles(t, file, key)
	moved := filepath.Join(t.TempDir(), "moved")
	check(t, os.Rename(file, moved))
	check(t, os.Symlink(moved, file+".9"))
	if _, err := Open(key.options(file)); !errors.Is(err, ErrUnsafe) || !strings.Contains(err.Error(), file+".9") {
		t.Errorf("got %v", err)
	}
	mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true, FromStart: true, MinSize: 36})
}

// What logrotate leaves of an empty file holds up nothing.
func TestEmptyArchives(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	threeFiles(t, file, key)
	check(t, os.Remove(file))
	check(t, os.WriteFile(file+".8", nil, 0o600))
	check(t, os.WriteFile(file+".9.gz", compressed(t, nil), 0o600))
	l, err := Open(key.options(file))
	check(t, err)
	check(t, l.Close())
}

func compressed(t *testing.T, lines [][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(bytes.Join(lines, nil))
	check(t, errors.Join(err, z.Close()))
	return b.Bytes()
}

// What a former build set apart as torn can be most of the log.
func TestVerifyLooksIntoWhatWasSetApart(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 100)
	lines := readLines(t, file)
	lines[20][50] = 0
	apart := tornPrefix(file, 20) + "20261121T010203.000000Z"
	check(t, os.WriteFile(apart, bytes.Join(lines[20:], nil), 0o600))
	writeLines(t, file, lines[:20])
	l := start(t, key.options(file))
	l.add("after")
	l.stop()
	var bad *BadLine
	_, err := Verify(t.Context(), []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
	if !errors.As(err, &bad) || bad.File != apart || bad.Seq != 21 || !strings.Contains(bad.Detail, "81 whole lines, records 21 to 101") {
		t.Errorf("got %v", err)
	}
}

// A log that rotates while it is verified looks complete.
func TestVerifyDuringRotation(t *testing.T) {
	key := ed25519Key(t)
	o := key.options(filepath.Join(t.TempDir(), "audit.jsonl"))
	o.Interval, o.MaxSize = time.Millisecond, 8<<10
	l := start(t, o)
	l.add("first")
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			case <-time.After(100 * time.Microsecond):
				l.add(fmt.Sprintf("jti-%d", i))
			}
		}
	}()
	var r Report
	for r.Files < 30 {
		r = mustVerify(t, []string{o.File}, VerifyOptions{Verifiers: key.verifiers, All: true, FromStart: true, MinSize: r.Size})
	}
	close(done)
	<-stopped
}

// The sentence claims what is proven, and names what is missing.
func TestSummaryNamesWhatIsMissing(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	files := threeFiles(t, file, key)
	whole := mustVerify(t, files, VerifyOptions{Verifiers: key.verifiers})
	r := mustVerify(t, files[1:], VerifyOptions{Verifiers: key.verifiers})
	want := fmt.Sprintf("signed checkpoints prove that records %d to %d are complete, unchanged and in order; record %d is the newest checkpoint itself; "+
		"records 0 to %d, before these files, were not checked; without", r.First, r.Size-2, r.Size-1, r.First-1)
	if r.First == 0 || !strings.HasPrefix(r.Summary(), want) {
		t.Error(r.Summary())
	}
	if _, err := Verify(t.Context(), files[1:], VerifyOptions{FromStart: true}); !errors.Is(err, ErrIncomplete) {
		t.Errorf("from the start: %v", err)
	}
	r = mustVerify(t, files, VerifyOptions{Verifiers: key.verifiers, Known: [][]byte{whole.Newest}})
	if !strings.HasSuffix(r.Summary(), "; the log was at least this long when the known checkpoint was signed") {
		t.Error(r.Summary())
	}
}
