package audit

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// fillUp appends to a log on a nearly full disk until it refuses records, frees
// up space, and waits for it to recover. All acknowledged records must be in
// the log, and all lines complete.
func fillUp(t *testing.T, file string, sync Sync, maxSize int64, full error, makeRoom func()) {
	t.Helper()
	key := ed25519Key(t)
	o := key.options(file)
	o.Sync, o.Interval, o.MaxSize = sync, 2*time.Millisecond, maxSize
	if maxSize > 0 { // or the disk is full before the first rotation
		o.Interval = 50 * time.Microsecond
	}
	l := start(t, o)
	acknowledged, refused := load(t, l, full)
	if refused == 0 {
		t.Fatal("the disk never filled up")
	}
	// The last bytes may still have room for the recovery line, which ends the
	// outage for a moment. The next record is refused again, until there is no
	// room for either.
	eventually(t, "a status that says why", func() bool {
		if err := l.Append(t.Context(), sample("refused")); !errors.Is(err, full) {
			t.Errorf("refused with %v", err)
		}
		s := l.Status()
		return errors.Is(s.Err, full) && s.Refused > 0 && !s.Since.IsZero()
	})
	makeRoom()
	// By itself, because nobody appends while the daemon is not ready.
	eventually(t, "recovery", func() bool { return l.Status().Err == nil })
	l.add("after")
	l.stop()
	files := logFiles(t, file)
	found := jtisIn(t, files)
	for _, jti := range append(acknowledged, "after") {
		if !found[jti] {
			t.Errorf("%s was acknowledged and is not in the log", jti)
		}
	}
	numbersOnce(t, files)
	r := mustVerify(t, files, VerifyOptions{Verifiers: key.verifiers, FromStart: true})
	if r.Recoveries == 0 || r.Unproven != 0 || r.Torn != 0 {
		t.Errorf("%+v", r)
	}
	t.Logf("%d acknowledged, %d refused, %d files", len(acknowledged), refused, len(files))
}

// load appends from eight goroutines until each was refused many times.
func load(t *testing.T, l *runningLog, full error) (acknowledged []string, refused int64) {
	t.Helper()
	var mu sync.Mutex
	var callers sync.WaitGroup
	var refusals atomic.Int64
	for c := range 8 {
		callers.Go(func() {
			for i, own := 0, 0; own < 20 && i < 1e5; i++ {
				jti := fmt.Sprintf("%d-%d", c, i)
				err := l.Append(t.Context(), sample(jti))
				if err == nil {
					mu.Lock()
					acknowledged = append(acknowledged, jti)
					mu.Unlock()
					continue
				}
				if !errors.Is(err, ErrUnavailable) || !errors.Is(err, full) {
					t.Errorf("refused with %v", err)
				}
				refusals.Add(1)
				own++
			}
		})
	}
	callers.Wait()
	return acknowledged, refusals.Load()
}

// inOwnProcess runs the test in a process of its own, because a limit on file
// size would affect the test runner too. In that process it returns false.
func inOwnProcess(t *testing.T) bool {
	t.Helper()
	const child = "AUDIT_TEST_LIMITED"
	if os.Getenv(child) == t.Name() {
		signal.Ignore(unix.SIGXFSZ)
		return false
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.v", "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"="+t.Name())
	out, err := cmd.CombinedOutput()
	t.Logf("%s", out)
	if err != nil || !bytes.Contains(out, []byte("--- PASS: "+t.Name())) {
		t.Errorf("in its own process: %v", err)
	}
	return true
}

// limitFileSize sets the maximum file size; 0 restores it.
func limitFileSize(t *testing.T, size uint64) {
	t.Helper()
	var l unix.Rlimit
	check(t, unix.Getrlimit(unix.RLIMIT_FSIZE, &l))
	if l.Cur = size; size == 0 {
		l.Cur = l.Max
	}
	check(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &l))
}

// TestFileSizeLimit uses a resource limit, so that any user can cause a real,
// partly written record.
func TestFileSizeLimit(t *testing.T) {
	if inOwnProcess(t) {
		return
	}
	for _, sync := range []Sync{SyncAlways, SyncInterval} {
		t.Run(string(sync), func(t *testing.T) {
			limitFileSize(t, 100_001)
			fillUp(t, filepath.Join(t.TempDir(), "audit.jsonl"), sync, 0, unix.EFBIG, func() { limitFileSize(t, 0) })
		})
	}
}

// TestFullDisk fills a small file system, also in the middle of rotations, and
// one that has no room for another file but for more lines. Mounting one needs
// root; other users rely on TestFileSizeLimit.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root: only TestFileSizeLimit covers a full disk")
		return
	}
	for name, test := range map[string]struct {
		sync    Sync
		maxSize int64
		options string
	}{
		"always": {SyncAlways, 0, ""}, "interval": {SyncInterval, 0, ""}, "never": {SyncNever, 0, ""},
		"always, rotating": {SyncAlways, 8 << 10, ""}, "interval, rotating": {SyncInterval, 8 << 10, ""},
		"no room for a file": {SyncInterval, 8 << 10, ",nr_inodes=5"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k,mode=0700"+test.options); err != nil {
				if errors.Is(err, unix.EPERM) {
					t.Logf("root without permission to mount: %v", err)
					return
				}
				t.Fatal(err)
			}
			t.Cleanup(func() { check(t, unix.Unmount(dir, 0)) })
			ballast := filepath.Join(dir, "ballast")
			check(t, os.WriteFile(ballast, []byte(strings.Repeat("x", 100<<10)), 0o600))
			fillUp(t, filepath.Join(dir, "audit.jsonl"), test.sync, test.maxSize, unix.ENOSPC, func() { check(t, os.Remove(ballast)) })
		})
	}
}

// A daemon that is restarted while its disk is full starts, refuses requests,
// and recovers.
func TestOpenOnAFullDisk(t *testing.T) {
	if inOwnProcess(t) {
		return
	}
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	first := start(t, Options{File: file})
	first.add("a")
	first.stop()
	info, err := os.Stat(file)
	check(t, err)
	limitFileSize(t, uint64(info.Size())+10)
	l := start(t, Options{File: file, Interval: time.Millisecond})
	if err := l.Append(t.Context(), sample("b")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
	limitFileSize(t, 0)
	eventually(t, "recovery", func() bool { return l.Status().Err == nil })
	l.add("c")
	l.stop()
	if r := mustVerify(t, []string{file}, VerifyOptions{}); r.Lines != 4 || r.Recoveries != 1 {
		t.Errorf("%+v", r)
	}
}

// After a failed sync nobody knows which records are safe, so none is
// acknowledged until a sync succeeds.
func TestFailedSyncBlocksRecordsUntilOneSucceeds(t *testing.T) {
	l, err := Open(Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check(t, l.w.write(nil))
	l.w.syncing = true
	l.w.endSync(unix.EIO)
	if s := l.w.status(); !errors.Is(s.Err, unix.EIO) || !errors.Is(s.Err, ErrUnavailable) || !l.w.mustSync {
		t.Errorf("status %+v", s)
	}
	l.w.tick() // retries, with a sync
	if s := l.w.status(); s.Err != nil || l.w.mustSync {
		t.Errorf("status %+v", s)
	}
}

// A rotation may sync and close the file before a background sync gets to it.
// The records are on disk then, so this is not an outage.
func TestSyncAfterRotationClosedTheFile(t *testing.T) {
	l, err := Open(Options{File: filepath.Join(t.TempDir(), "audit.jsonl")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	check(t, l.w.write(nil))
	old := l.w.file
	check(t, l.w.switchFile(true, "."))
	l.w.syncing = true
	l.w.endSync(old.sync())
	if s := l.w.status(); s.Err != nil || l.w.mustSync {
		t.Errorf("status %+v", s)
	}
}
