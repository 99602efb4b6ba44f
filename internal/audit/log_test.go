package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestAppendWritesOneLinePerRecord(t *testing.T) {
	for _, sync := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		t.Run(string(sync), func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			l := start(t, Options{File: file, Sync: sync})
			l.add("a", "b")
			lines := readLines(t, file)
			if len(lines) != 3 {
				t.Fatalf("want a header and two records, got %d lines", len(lines))
			}
			var got struct {
				Seq       int64
				Kind, JTI string
				Time      time.Time
				Caller    struct{ UID int }
				Latency   int64 `json:"latency_us"`
			}
			if err := json.Unmarshal(lines[2], &got); err != nil {
				t.Fatal(err)
			}
			if got.Seq != 2 || got.Kind != "assertion" || got.JTI != "b" || got.Caller.UID != 1000 || got.Latency != 850 {
				t.Errorf("got %+v", got)
			}
			if !got.Time.Equal(sample("").Time) {
				t.Errorf("time %v", got.Time)
			}
			info, _ := os.Stat(file)
			if info.Mode().Perm() != 0o600 {
				t.Errorf("mode %v", info.Mode())
			}
		})
	}
}

func TestConcurrentAppends(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, Options{File: file, Sync: SyncAlways})
	var callers sync.WaitGroup
	for c := range 16 {
		callers.Go(func() {
			for _, jti := range jtis(c*1000, 50) {
				if err := l.Append(t.Context(), sample(jti)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	s := l.Status()
	if s.Records != 800 || s.Err != nil || s.Pending != 0 {
		t.Errorf("status %+v", s)
	}
	if r := mustVerify(t, []string{file}, VerifyOptions{}); r.Lines != 801 || r.Checkpoints != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestInvalidRecords(t *testing.T) {
	l := start(t, Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	long := sample("x")
	long.Caller.Executable = strings.Repeat("x", MaxRecord)
	unencodable := sample("x")
	unencodable.Claims = map[string]any{"x": func() {}}
	for name, r := range map[string]Record{
		"no kind": {}, "reserved kind": {Kind: kindHeader}, "odd kind": {Kind: "a\"b"}, "too long": long, "not JSON": unencodable,
	} {
		if err := l.Append(t.Context(), r); !errors.Is(err, ErrRecord) {
			t.Errorf("%s: %v", name, err)
		}
	}
	longest := sample("x")
	longest.Caller.Executable = strings.Repeat("x", MaxRecord-1000)
	if err := l.Append(t.Context(), longest); err != nil {
		t.Error(err)
	}
	l.stop()
	mustVerify(t, []string{l.opts.File}, VerifyOptions{})
}

func TestAppendAfterContextOrRunEnds(t *testing.T) {
	l, err := Open(Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := l.Append(ctx, sample("never written")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("before Run: %v", err)
	}
	over, end := context.WithCancel(t.Context())
	end()
	if err := l.Run(over); err != nil {
		t.Error(err)
	}
	if err := l.Append(t.Context(), sample("x")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after Run: %v", err)
	}
	if err := l.Reopen(t.Context()); err == nil {
		t.Error("Reopen after Run")
	}
	if err := l.Run(over); err == nil {
		t.Error("a second Run")
	}
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Error(err)
	}
}

func TestPendingLimit(t *testing.T) {
	l, err := Open(Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for range MaxPending {
		if err := l.enqueue(&entry{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append(t.Context(), sample("one too many")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestCloseWhileRunning(t *testing.T) {
	l := start(t, Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	l.add("a")
	if err := l.Close(); err == nil {
		t.Error("Close while Run runs")
	}
	l.add("b")
}

func TestOpenRejectsUnsafeFiles(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, dir, file string){
		"symbolic link": func(t *testing.T, dir, file string) {
			check(t, os.WriteFile(filepath.Join(dir, "real"), nil, 0o600))
			check(t, os.Symlink("real", file))
		},
		"hard link": func(t *testing.T, dir, file string) {
			check(t, os.WriteFile(file, nil, 0o600))
			check(t, os.Link(file, filepath.Join(dir, "second")))
		},
		"group may write": func(t *testing.T, _, file string) {
			check(t, os.WriteFile(file, nil, 0o600))
			check(t, os.Chmod(file, 0o620))
		},
		"directory": func(t *testing.T, _, file string) { check(t, os.Mkdir(file, 0o700)) },
		"directory open to all": func(t *testing.T, dir, _ string) {
			check(t, os.Chmod(dir, 0o777))
		},
		"symbolic link as lock": func(t *testing.T, dir, file string) {
			check(t, os.WriteFile(filepath.Join(dir, "real"), nil, 0o600))
			check(t, os.Symlink("real", file+".lock"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "audit.jsonl")
			prepare(t, dir, file)
			if l, err := Open(Options{File: file}); err == nil {
				l.Close()
				t.Error("opened")
			}
		})
	}
}

func TestInvalidOptions(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "audit.jsonl")
	for name, o := range map[string]Options{
		"no file":      {},
		"mode":         {File: file, Mode: 0o644},
		"sync":         {File: file, Sync: "sometimes"},
		"negative":     {File: file, MaxSize: -1},
		"origin":       {File: file, Key: ed25519Key(t).options(file).Key, Origin: "two words"},
		"no directory": {File: filepath.Join(dir, "missing", "audit.jsonl")},
	} {
		if _, err := Open(o); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
}

func TestOneWriterPerFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	first := start(t, Options{File: file})
	_, err := Open(Options{File: file})
	if !errors.Is(err, ErrLocked) || !strings.Contains(err.Error(), "process ") {
		t.Errorf("got %v", err)
	}
	check(t, os.Remove(file+".lock")) // as someone may do who thinks that it is stale
	if _, err := Open(Options{File: file}); !errors.Is(err, ErrLocked) {
		t.Errorf("without the lock file: %v", err)
	}
	if _, err := AcceptDamage(Options{File: file}, Acceptance{Reason: "none"}); !errors.Is(err, ErrLocked) {
		t.Errorf("accept damage: %v", err)
	}
	first.stop()
	start(t, Options{File: file}).add("a")
}

func TestOpenContinuesTheLog(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := ecdsaKey(t)
	for i := range 5 {
		l := start(t, key.options(file))
		l.add(jtis(i*10, i)...) // the first run adds no records
		l.stop()
	}
	r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	if r.Lines != 1+10+5 || r.Checkpoints != 5 || r.Unproven != 0 {
		t.Errorf("report %+v", r)
	}
}

func TestOpenRejectsADamagedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, Options{File: file})
	l.add("a", "b", "c")
	l.stop()
	lines := readLines(t, file)
	lines[2] = bytes.Replace(lines[2], []byte(`"b"`), []byte(`"x"`), 1)
	writeLines(t, file, lines)
	_, err := Open(Options{File: file})
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "record 3") {
		t.Errorf("got %v", err)
	}
}

func TestStatusReportsUnsyncedRecords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		l := start(t, Options{File: file, Interval: time.Minute})
		l.add("a")
		if s := l.Status(); s.UnsyncedSince.IsZero() {
			t.Errorf("status %+v", s)
		}
		time.Sleep(90 * time.Second)
		if s := l.Status(); !s.UnsyncedSince.IsZero() || s.File != file || s.Lines != 2 || s.Bytes == 0 {
			t.Errorf("status %+v", s)
		}
	})
}
