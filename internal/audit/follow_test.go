package audit

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// durable waits until all lines of the log are synced.
func (r *runningLog) durable() int64 {
	r.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if s := r.Status(); s.Durable == s.Lines && s.Lines > 0 {
			return s.Durable
		}
	}
	r.t.Fatal("the lines are not synced")
	return 0
}

// follow reads all lines that there are, and returns the number of the first,
// how many came, and how many are missing.
func follow(t *testing.T, f *Follower, limit int64) (first, lines, missing int64) {
	t.Helper()
	for end := 2; end > 0; { // one that is missing must be so twice
		line, err := f.Next(limit)
		switch {
		case errors.Is(err, io.EOF):
			end--
			continue
		case err != nil:
			t.Fatal(err)
		case lines == 0:
			first = line.Seq
		}
		lines, missing = lines+1, missing+line.Missing
	}
	return first, lines, missing
}

// TestFollow reads a log across rotations, compression and pruning, from where
// it stopped.
func TestFollow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	log := start(t, Options{File: file, Interval: 10 * time.Millisecond})
	log.add(jtis(0, 10)...)
	f := Follow(file, Oldest())
	defer f.Close()
	if first, lines, missing := follow(t, f, log.durable()); first != 0 || lines != 11 || missing != 0 {
		t.Errorf("from line %d: %d lines, %d missing; want 11 from 0", first, lines, missing)
	}
	log.add(jtis(10, 10)...)
	log.renamed(file + ".1")
	log.add(jtis(20, 10)...)
	if first, lines, missing := follow(t, f, log.durable()); first != 11 || lines != 21 || missing != 0 {
		t.Errorf("from line %d: %d lines, %d missing; want 21 from 11", first, lines, missing)
	}
	at := f.at
	log.add(jtis(30, 10)...)
	log.renamed(file + ".2")
	content, err := os.ReadFile(file + ".2")
	check(t, errors.Join(err, os.WriteFile(file+".2.gz", compress(t, content), 0o600), os.Remove(file+".2")))
	log.add(jtis(40, 10)...)
	resumed := Follow(file, at)
	defer resumed.Close()
	if first, lines, missing := follow(t, resumed, log.durable()); first != at.Next || lines != 21 || missing != 0 {
		t.Errorf("from line %d: %d lines, %d missing; want 21 from %d", first, lines, missing, at.Next)
	}
	check(t, os.Remove(file+".2.gz"))
	pruned := Follow(file, at)
	defer pruned.Close()
	if first, lines, missing := follow(t, pruned, log.durable()); first != at.Next+10 || lines != 11 || missing != 10 {
		t.Errorf("from line %d: %d lines, %d missing; want 11 from %d, 10 missing", first, lines, missing, at.Next+10)
	}
}

// TestFollowDurable: a line that is not synced is not read, and neither is what
// a failed write left in its place.
func TestFollowDurable(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	log := start(t, Options{File: file, Interval: time.Minute})
	log.add(jtis(0, 3)...)
	if d := log.Status().Durable; d != 0 {
		t.Errorf("%d lines are durable before the first sync", d)
	}
	f := Follow(file, Oldest())
	defer f.Close()
	if _, lines, _ := follow(t, f, 2); lines != 2 {
		t.Errorf("%d lines, want 2", lines)
	}
	log.stop()
	if s := log.w.status(); s.Durable != s.Lines {
		t.Errorf("%d of %d lines are durable after the end", s.Durable, s.Lines)
	}
	if _, lines, _ := follow(t, f, 4); lines != 2 {
		t.Errorf("%d lines, want 2", lines)
	}
}

// TestFollowDamaged: a line that can't be read counts as missing, and those
// behind it are read.
func TestFollowDamaged(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	log := start(t, Options{File: file})
	log.add(jtis(0, 5)...)
	log.stop()
	content, err := os.ReadFile(file)
	check(t, err)
	content[bytes.LastIndex(content[:len(content)/2], []byte(`{"seq":`))] = 0
	check(t, os.WriteFile(file, content, 0o600))
	f := Follow(file, Oldest())
	defer f.Close()
	if _, lines, missing := follow(t, f, 6); lines != 5 || missing != 1 {
		t.Errorf("%d lines, %d missing; want 5 and 1", lines, missing)
	}
}

// TestFollowRolledBack: a position in a log that is shorter or another one is
// refused.
func TestFollowRolledBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	log := start(t, Options{File: file})
	log.add(jtis(0, 5)...)
	log.stop()
	f := Follow(file, Oldest())
	follow(t, f, 6)
	at := f.at
	f.Close()
	check(t, os.Remove(file))
	log = start(t, Options{File: file})
	log.add(jtis(100, 8)...)
	log.stop()
	for _, limit := range []int64{3, 9} {
		f := Follow(file, at)
		if _, err := f.Next(limit); !errors.Is(err, ErrDiverged) {
			t.Errorf("with %d lines: %v", limit, err)
		}
		f.Close()
	}
}

// renamed rotates the file as logrotate does.
func (r *runningLog) renamed(to string) {
	r.t.Helper()
	check(r.t, os.Rename(r.opts.File, to))
	check(r.t, r.Reopen(r.t.Context()))
}
