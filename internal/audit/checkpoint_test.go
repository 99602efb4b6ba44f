package audit

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestCheckpointInterval(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		key := ed25519Key(t)
		o := key.options(file)
		o.CheckpointInterval = time.Minute
		l := start(t, o)
		l.add("a")
		time.Sleep(90 * time.Second)
		if s := l.Status(); s.CheckpointLines != 2 {
			t.Errorf("status %+v", s)
		}
		before := len(readLines(t, file))
		time.Sleep(time.Hour)
		if after := len(readLines(t, file)); after != before {
			t.Errorf("an idle log grew from %d to %d lines", before, after)
		}
		l.stop()
		mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	})
}

// The HSM may be gone or hang. Records continue, the failure shows, and
// checkpoints come back by themselves.
func TestRecordsContinueWithoutCheckpoints(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		key := ed25519Key(t)
		away := errors.New("token is gone")
		var hang, fail atomic.Bool
		o := key.options(file)
		o.CheckpointInterval = time.Minute
		o.Key = func(ctx context.Context) (Key, error) {
			if fail.Load() {
				return Key{}, away
			}
			if hang.Load() {
				<-ctx.Done()
				return Key{}, ctx.Err()
			}
			return key.key, nil
		}
		fail.Store(true)
		l := start(t, o)
		l.add("a")
		time.Sleep(90 * time.Second)
		if s := l.Status(); !errors.Is(s.CheckpointErr, away) {
			t.Errorf("status %+v", s)
		}
		hang.Store(true)
		fail.Store(false)
		l.add(jtis(0, 20)...)
		time.Sleep(time.Minute)
		if s := l.Status(); !errors.Is(s.CheckpointErr, context.DeadlineExceeded) || s.Err != nil {
			t.Errorf("status %+v", s)
		}
		hang.Store(false)
		time.Sleep(time.Minute)
		if s := l.Status(); s.CheckpointErr != nil || s.CheckpointLines != 22 {
			t.Errorf("status %+v", s)
		}
		l.stop()
		mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	})
}

// A signature in progress when Run ends lacks the newest records, and a
// rotation that waits for it starts a new file.
func TestLastCheckpointCoversEverything(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := ed25519Key(t)
	o := key.options(file)
	o.MaxSize, o.Interval = 1, time.Millisecond
	started, proceed := make(chan struct{}, 10), make(chan struct{})
	o.Key = func(context.Context) (Key, error) {
		started <- struct{}{}
		<-proceed
		return key.key, nil
	}
	l := start(t, o)
	l.add("before")
	<-started
	l.add("meanwhile")
	l.cancel()
	close(proceed)
	l.stop()
	if r := mustVerify(t, logFiles(t, file), VerifyOptions{Verifiers: key.verifiers}); r.Files != 2 || r.Unproven != 0 {
		t.Errorf("%+v", r)
	}
}

// A token that returns garbage must not spoil the log with a checkpoint that
// never verifies.
func TestBadSignaturesAreNotWritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	good, other := ed25519Key(t), ed25519Key(t)
	o := good.options(file)
	o.Key = func(context.Context) (Key, error) {
		return Key{Public: good.key.Public, Sign: other.key.Sign}, nil
	}
	l := start(t, o)
	l.add("a")
	l.stop()
	if s := l.Status(); !errors.Is(s.CheckpointErr, ErrKey) {
		t.Errorf("status %+v", s)
	}
	if r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: good.verifiers}); r.Checkpoints != 0 || r.Lines != 2 {
		t.Errorf("%+v", r)
	}
}

// Checkpoint keys rotate too. A log is verified with all keys that signed it.
func TestCheckpointsBySeveralKeys(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	keys := []testKey{ed25519Key(t), ecdsaKey(t)}
	for _, k := range keys {
		l := start(t, k.options(file))
		l.add("a")
		l.stop()
	}
	both := append(slices.Clone(keys[0].verifiers), keys[1].verifiers...)
	if r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: both}); r.Checkpoints != 2 || r.Unverified != 0 {
		t.Errorf("%+v", r)
	}
	if r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: keys[0].verifiers}); r.Checkpoints != 1 || r.Unverified != 1 || r.Unproven != 2 {
		t.Errorf("%+v", r)
	}
}

// Nothing is signed, and nobody sees a checkpoint, before it is on the disk
// with all lines below it. Or else every loss of power would look like a
// rollback.
func TestNobodySeesACheckpointThatIsNotSynced(t *testing.T) {
	a := newAnchored(t)
	o := a.options()
	o.Witnessed = true
	signed := 0
	o.Key = func(context.Context) (Key, error) { signed++; return a.key, nil }
	l, err := Open(o)
	check(t, err)
	t.Cleanup(func() { check(t, l.Close()) })
	l.w.ctx = t.Context()
	check(t, l.w.write(nil))
	reader, unsyncable, err := os.Pipe() // a real file that can't be synced
	check(t, err)
	defer reader.Close()
	defer unsyncable.Close()
	c := Checkpoint{Origin: testOrigin, Size: 1, Root: l.w.head.tree.root()}

	if _, err := l.w.signCheckpoint(c, &file{f: unsyncable}); err == nil || signed > 0 {
		t.Errorf("signed %d times: %v", signed, err)
	}

	note, err := l.w.signCheckpoint(c, l.w.file)
	check(t, err)
	demand := make(chan delivery, 1)
	l.w.demands = append(l.w.demands, demand)
	own := l.w.file
	l.w.file = &file{f: unsyncable}
	l.w.deliver(&signature{checkpoint: c, note: note}, nil)
	l.w.jobs.Wait()
	l.w.file = own
	if d := <-demand; d.err == nil || d.signed != nil {
		t.Errorf("delivered %+v", d)
	}
	l.w.anchor.wait()
	if _, err := os.Stat(a.anchor); err == nil || len(l.w.deliveries) > 0 {
		t.Errorf("%d deliveries, anchor: %v", len(l.w.deliveries), err)
	}
	l.w.deliver(&signature{checkpoint: c, note: note}, nil)
	l.w.jobs.Wait()
	l.w.anchor.wait()
	if _, err := os.Stat(a.anchor); err != nil || len(l.w.deliveries) != 1 {
		t.Errorf("%d deliveries, anchor: %v", len(l.w.deliveries), err)
	}
}
