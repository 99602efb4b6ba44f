package witness_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/ipc"
)

// signedLog is a log with a checkpoint key, for witnesses.
type signedLog struct {
	t       *testing.T
	dir     string
	private ed25519.PrivateKey
	origin  string
	options func(*audit.Options)
	group   func(*witness.Options)
}

func newLog(t *testing.T) *signedLog {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	return &signedLog{
		t: t, dir: t.TempDir(), private: private, origin: testOrigin,
		options: func(*audit.Options) {}, group: func(*witness.Options) {},
	}
}

func (l *signedLog) file() string { return filepath.Join(l.dir, "audit.jsonl") }

func (l *signedLog) publicKey() string {
	l.t.Helper()
	key, err := audit.VerifierKey(l.origin, l.private.Public())
	check(l.t, err)
	return key
}

// running is a log whose witnesses are kept current.
type running struct {
	*audit.Log
	*witness.Group
	t    *testing.T
	stop func()
}

// testOrigin is the name of a log unless a test changes it.
const testOrigin = "log.example/audit"

// options are for a log that rotates and signs often.
func options(file string, private ed25519.PrivateKey) audit.Options {
	key := audit.Key{Public: private.Public(), Sign: func(_ context.Context, message []byte, o crypto.SignerOpts) ([]byte, error) {
		return private.Sign(nil, message, o)
	}}
	return audit.Options{
		File: file, Interval: 10 * time.Millisecond, CheckpointInterval: 50 * time.Millisecond, MaxSize: 64 << 10, Origin: testOrigin,
		Key: func(context.Context) (audit.Key, error) { return key, nil }, Witnessed: true,
	}
}

// start opens the log, asks its witnesses, and runs both until the test ends or
// calls stop.
func (l *signedLog) start(quorum int, witnesses ...*testWitness) (*running, error) {
	l.t.Helper()
	o := options(l.file(), l.private)
	o.Origin, o.MaxSize = l.origin, 0
	l.options(&o)
	log, err := audit.Open(o)
	if err != nil {
		return nil, err
	}
	g := witness.Options{Log: log, Quorum: quorum, Timeout: time.Second, Retry: 100 * time.Millisecond, Now: time.Now, Logger: testLogger{l.t}}
	for _, w := range witnesses {
		g.Witnesses = append(g.Witnesses, w.config())
	}
	l.group(&g)
	r := &running{Log: log, Group: witness.New(g), t: l.t}
	background := func(run func(context.Context) error) func() {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- run(ctx) }()
		return func() { cancel(); check(l.t, <-ended) }
	}
	endLog := background(log.Run)
	if err := r.Start(l.t.Context()); err != nil {
		endLog()
		return nil, errors.Join(err, log.Close())
	}
	endGroup := background(r.Group.Run)
	r.stop = sync.OnceFunc(func() { endGroup(); endLog(); check(l.t, log.Close()) })
	l.t.Cleanup(r.stop)
	return r, nil
}

func (l *signedLog) mustStart(quorum int, witnesses ...*testWitness) *running {
	l.t.Helper()
	r, err := l.start(quorum, witnesses...)
	check(l.t, err)
	return r
}

func (r *running) add(n int) {
	r.t.Helper()
	for i := range n {
		check(r.t, r.Append(r.t.Context(), audit.Record{Kind: audit.KindAssertion, JTI: fmt.Sprint(i), Outcome: audit.OutcomeAllowed}))
	}
}

func (r *running) status() ipc.AuditStatus {
	var s ipc.AuditStatus
	r.Report(&s)
	return s
}

// awaitCosigned writes a record, and waits until a quorum has cosigned it.
func (r *running) awaitCosigned() {
	r.t.Helper()
	lines := r.Log.Status().Lines
	r.add(1)
	eventually(r.t, fmt.Sprintf("more than %d lines are cosigned", lines), func() bool { return r.status().WitnessedLines > lines })
}

// verify verifies the files and returns how many lines the quorum cosigned.
func (l *signedLog) verify(quorum int, witnesses ...*testWitness) int64 {
	l.t.Helper()
	files, err := audit.Files(l.file())
	check(l.t, err)
	v, err := audit.ParseVerifier(l.publicKey())
	check(l.t, err)
	o := audit.VerifyOptions{Verifiers: []note.Verifier{v}, Quorum: quorum}
	for _, w := range witnesses {
		o.Witnesses = append(o.Witnesses, w.config().Key)
	}
	report, err := audit.Verify(l.t.Context(), files, o)
	if errors.Is(err, audit.ErrIncomplete) != (report.Witnessed == 0) {
		l.t.Errorf("%d witnessed, error %v", report.Witnessed, err)
	}
	if !errors.Is(err, audit.ErrIncomplete) {
		check(l.t, err)
	}
	return report.Witnessed
}

// testLogger logs to the test.
type testLogger struct{ t *testing.T }

func (l testLogger) log(level, msg string, args []any) {
	l.t.Helper()
	l.t.Log(append([]any{level, msg}, args...)...)
}

func (l testLogger) Debug(msg string, args ...any) { l.log("debug", msg, args) }
func (l testLogger) Info(msg string, args ...any)  { l.log("info", msg, args) }
func (l testLogger) Warn(msg string, args ...any)  { l.log("warn", msg, args) }
func (l testLogger) Error(msg string, args ...any) { l.log("error", msg, args) }

// Cosignatures become lines, and verify offline.
func TestWitnessesCosignTheLog(t *testing.T) {
	one, two := newWitness(t, "one.example/w"), newWitness(t, "two.example/w")
	l := newLog(t)
	for _, w := range []*testWitness{one, two} {
		w.knows(l.origin, l.publicKey())
	}
	r := l.mustStart(2, one, two)
	for range 3 {
		r.add(10)
		r.awaitCosigned()
	}
	r.stop()
	if lines := l.verify(2, one, two); lines < 30 {
		t.Errorf("two of two cosigned %d lines", lines)
	}
	if lines := l.verify(2, one); lines != 0 {
		t.Errorf("two of one cosigned %d lines", lines)
	}
	other := newWitness(t, "three.example/w")
	if lines := l.verify(2, one, other); lines != 0 {
		t.Errorf("a witness that never saw the log cosigned %d lines", lines)
	}
}

// An idle log does not grow, although it has its checkpoint cosigned again.
func TestAnIdleLogStaysCosigned(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	l.group = func(o *witness.Options) { o.MaxAge = 3 * time.Second }
	r := l.mustStart(1, w)
	r.add(1)
	r.awaitCosigned()
	lines := int64(-1)
	eventually(t, "the log is idle", func() bool {
		was := lines
		lines = r.Log.Status().Lines
		time.Sleep(300 * time.Millisecond) // several checkpoint intervals
		return was == lines
	})
	for first := r.status().QuorumTime; r.status().QuorumTime.Sub(first) < 6*time.Second; time.Sleep(20 * time.Millisecond) {
		if err := r.Hold(); err != nil {
			t.Fatal(err)
		}
	}
	if now := r.Log.Status().Lines; now != lines {
		t.Errorf("the idle log grew from %d to %d lines", lines, now)
	}
}

// An older copy of the directory is refused with the size that the witness
// remembers. After a person accepts the loss, the log goes on, but only under a
// new name does a witness cosign it.
func TestAnOlderCopyIsRefusedWithAWitness(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	r := l.mustStart(1, w)
	r.add(5)
	r.awaitCosigned()
	r.stop()
	older := l.dir
	l.dir = filepath.Join(t.TempDir(), "newer")
	check(t, os.CopyFS(l.dir, os.DirFS(older)))
	check(t, os.Chmod(l.file(), 0o600))
	check(t, os.Remove(filepath.Join(l.dir, "audit.jsonl.lock")))
	r = l.mustStart(1, w)
	r.add(50)
	r.awaitCosigned()
	r.stop()

	l.dir = older
	_, err := l.start(1, w)
	var rolledBack *audit.RolledBackError
	if !errors.As(err, &rolledBack) || rolledBack.Size < 55 || rolledBack.Split {
		t.Fatalf("error %v", err)
	}
	t.Log(err)

	o := audit.Options{File: l.file()}
	note, sent, err := audit.NewestNote(l.file())
	check(t, err)
	remembered, err := w.config().Remembers(t.Context(), note, sent)
	if err != nil || remembered != rolledBack.Size {
		t.Errorf("the witness remembers %d lines: %v", remembered, err)
	}
	a := audit.Acknowledgment{Size: remembered + 1, Reason: "a test", Witnessed: remembered}
	if err := audit.Acknowledge(o, a); err == nil {
		t.Error("accepted more than the witness remembers")
	}
	a.Size = remembered
	check(t, audit.Acknowledge(o, a))
	r = l.mustStart(1, w)
	r.add(60) // beyond what the witness remembers
	eventually(t, "the witness's error", func() bool { return r.status().Witnesses[0].Error != "" })
	time.Sleep(time.Second) // several retries, none of which may stop the log
	r.add(1)
	r.stop()

	l.origin = "log.example/audit/2"
	w.knows(l.origin, l.publicKey())
	r = l.mustStart(1, w)
	r.add(1)
	r.awaitCosigned()
}

// A log that was rolled back and has grown again is a split view.
func TestARolledBackLogThatGrewIsRefused(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	r := l.mustStart(1, w)
	r.add(5)
	r.awaitCosigned()
	r.stop()
	check(t, os.Remove(l.file()))
	r = l.mustStart(0)
	r.add(50)
	r.stop()
	_, err := l.start(1, w)
	var rolledBack *audit.RolledBackError
	if !errors.As(err, &rolledBack) || !rolledBack.Split {
		t.Fatalf("error %v", err)
	}
	t.Log(err)
}

// A witness that is killed or frozen costs nothing but its cosignatures, and
// catches up by itself.
func TestAWitnessThatIsAway(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	r := l.mustStart(1, w)
	for name, away := range map[string]struct{ leave, back func() }{
		"killed": {w.Kill, w.start},
		"frozen": {func() { w.signal(syscall.SIGSTOP) }, func() { w.signal(syscall.SIGCONT) }},
	} {
		t.Logf("the witness is %s", name)
		away.leave()
		r.add(1)
		eventually(t, "error of a witness that is "+name, func() bool {
			r.add(5)
			return r.status().Witnesses[0].Error != ""
		})
		away.back()
		r.awaitCosigned()
		eventually(t, "no error", func() bool { return r.status().Witnesses[0].Error == "" })
	}
	r.stop()
	l.verify(1, w)
}

// A quorum that is required and gets too old puts signing on hold until the
// witness is back.
func TestARequiredQuorum(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	w.signal(syscall.SIGSTOP)
	l.group = func(o *witness.Options) { o.MaxAge = 3 * time.Second }
	r := l.mustStart(1, w)
	if err := r.Hold(); !errors.Is(err, witness.ErrNoQuorum) {
		t.Errorf("never cosigned: error %v", err)
	}
	w.signal(syscall.SIGCONT)
	eventually(t, "a quorum", func() bool { return r.Hold() == nil })
	w.signal(syscall.SIGSTOP)
	eventually(t, "too old", func() bool { return errors.Is(r.Hold(), witness.ErrNoQuorum) })
	r.add(1) // a refusal must be recorded
	w.signal(syscall.SIGCONT)
	eventually(t, "a quorum again", func() bool { return r.Hold() == nil })
}

// Proofs need no old file: not after rotations, nor after the old files were
// removed, nor after a restart, even if a witness took a checkpoint and its
// answer was lost.
func TestProofsNeedNoOldFile(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	l.options = func(o *audit.Options) { o.MaxSize = 2 << 10 }
	r := l.mustStart(1, w)
	for round := range 4 {
		r.add(10)
		r.awaitCosigned()
		w.signal(syscall.SIGSTOP)
		r.add(30)
		eventually(t, "an answer is lost", func() bool { return r.status().Witnesses[0].Error != "" })
		eventually(t, "rotations", func() bool {
			r.add(5)
			files, err := audit.Files(l.file())
			return err == nil && len(files) >= 4
		})
		removeRotated(t, l.file())
		if round%2 == 1 {
			r.stop()
			w.signal(syscall.SIGCONT) // it now takes what it had received
			removeRotated(t, l.file())
			r = l.mustStart(1, w)
		} else {
			w.signal(syscall.SIGCONT)
		}
		r.awaitCosigned()
	}
}

// removeRotated removes all files but the current one.
func removeRotated(t *testing.T, file string) {
	t.Helper()
	files, err := audit.Files(file)
	check(t, err)
	for _, f := range files {
		if f != file {
			check(t, os.Remove(f))
		}
	}
}
