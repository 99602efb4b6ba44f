package ship

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/test/rsyslog"
)

const patience = 2 * time.Minute

// TestMain also is the process that owns a log and ships it.
func TestMain(m *testing.M) {
	if dir := os.Getenv("ASSERTD_SHIP_OWNER"); dir != "" {
		own(dir)
		return
	}
	os.Exit(m.Run())
}

// own writes a record for each line of stdin, until its end, and answers each
// with a line.
func own(dir string) {
	l, err := audit.Open(audit.Options{File: filepath.Join(dir, "audit.jsonl"), Interval: 50 * time.Millisecond, MaxSize: 20 << 10})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- l.Run(ctx) }()
	shipper := New(Options{
		File: filepath.Join(dir, "audit.jsonl"), Log: l, Destinations: []Destination{Socket{filepath.Join(dir, "log")}},
		Now: time.Now, Logger: logging.Discard,
	})
	shipping, stopShipping := context.WithCancel(context.Background())
	go func() { ended <- shipper.Run(shipping) }()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := l.Append(ctx, record(lines.Text())); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(lines.Text())
	}
	stop()
	<-ended
	stopShipping()
	<-ended
}

func record(jti string) audit.Record {
	return audit.Record{
		Kind: audit.KindAssertion, Caller: caller.Caller{UID: 1000, PID: 42}, Client: "payments-api", JTI: jti, Outcome: audit.OutcomeAllowed,
	}
}

// await polls until something is true.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// owner is a process that owns a log and ships it.
type owner struct {
	t       *testing.T
	process *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Scanner
}

func startOwner(t *testing.T, dir string) *owner {
	t.Helper()
	o := &owner{t: t, process: exec.Command(os.Args[0])}
	o.process.Env = append(os.Environ(), "ASSERTD_SHIP_OWNER="+dir)
	o.process.Stderr = os.Stderr
	in, err1 := o.process.StdinPipe()
	out, err2 := o.process.StdoutPipe()
	if err := errors.Join(err1, err2, o.process.Start()); err != nil {
		t.Fatal(err)
	}
	o.in, o.out = in, bufio.NewScanner(out)
	t.Cleanup(o.kill)
	return o
}

func (o *owner) add(n int) {
	o.t.Helper()
	for i := range n {
		fmt.Fprintf(o.in, "jti-%d\n", i)
		if !o.out.Scan() {
			o.t.Fatal("the owner of the log ended")
		}
	}
}

func (o *owner) kill() {
	_ = o.process.Process.Kill()
	_ = o.process.Wait()
}

func (o *owner) finish() {
	o.t.Helper()
	o.in.Close()
	if err := o.process.Wait(); err != nil {
		o.t.Fatal(err)
	}
}

// logLines returns the lines of the log's files in their order.
func logLines(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "audit.jsonl.2*"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, name := range append(files, filepath.Join(dir, "audit.jsonl")) {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(content)
	}
	return strings.Split(strings.TrimSuffix(all.String(), "\n"), "\n")
}

// TestShippedToRsyslog: every line arrives, in order, across a kill -9 of the
// log's owner, a stop of rsyslog, and rotations.
func TestShippedToRsyslog(t *testing.T) {
	dir := t.TempDir()
	receiver := rsyslog.New(t, dir)
	receiver.Start()
	first := startOwner(t, dir)
	first.add(100)
	await(t, "some lines", func() bool { return len(receiver.Received()) > 20 })
	first.add(100)
	first.kill()
	second := startOwner(t, dir)
	second.add(100)
	receiver.Stop()
	second.add(200)
	receiver.Start()
	second.add(100)
	await(t, "lines after the outage", func() bool { return len(receiver.Received()) > 500 })
	second.finish()
	want := logLines(t, dir)
	await(t, "the last line", func() bool { got := receiver.Received(); return got[len(got)-1] == want[len(want)-1] })
	if got := receiver.Received(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%d lines arrived, %d are in the log", len(got), len(want))
	}
}

// TestLongestLine: a line of nearly the greatest length and one with other
// characters than ASCII arrive unchanged.
func TestLongestLine(t *testing.T) {
	dir := t.TempDir()
	receiver := rsyslog.New(t, dir)
	receiver.Start()
	l, shipper := ownHere(t, dir)
	for _, jti := range []string{strings.Repeat("x", audit.MaxRecord-1000), "é\n\x00\u2028\"€", "last"} {
		if err := l.Append(t.Context(), record(jti)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the lines", func() bool { s := state(shipper, l); return s.Pending == 0 || s.Error != "" })
	want := logLines(t, dir)
	await(t, "rsyslogd to write them", func() bool { return len(receiver.Received()) == len(want) })
	if got := receiver.Received(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("the lines that arrived are not the log's: %s", state(shipper, l).Error)
	}
}

// TestShippedAfterRollback: if an older copy of the log is put back, lines of
// the new history arrive although their numbers were used before.
func TestShippedAfterRollback(t *testing.T) {
	dir := t.TempDir()
	receiver := rsyslog.New(t, dir)
	receiver.Start()
	file := filepath.Join(dir, "audit.jsonl")
	first := startOwner(t, dir)
	first.add(10)
	first.finish()
	old, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	second := startOwner(t, dir)
	second.add(20)
	await(t, "the lines", func() bool { return len(receiver.Received()) == len(logLines(t, dir)) })
	second.finish()
	if err := os.WriteFile(file, old, 0o600); err != nil {
		t.Fatal(err)
	}
	third := startOwner(t, dir)
	third.add(5)
	await(t, "the new history", func() bool { return strings.Contains(receiver.Raw(), logLines(t, dir)[len(logLines(t, dir))-1]) })
	third.finish()
	for _, line := range logLines(t, dir) {
		if !strings.Contains(receiver.Raw(), line) {
			t.Errorf("did not arrive: %s", line)
		}
	}
}

// TestPrunedBeforeShipped: lines that were removed before they were shipped are
// counted, and those behind them arrive.
func TestPrunedBeforeShipped(t *testing.T) {
	dir := t.TempDir()
	receiver := rsyslog.New(t, dir)
	l, shipper := ownHere(t, dir)
	for i := range 100 {
		if err := l.Append(t.Context(), record(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the lag", func() bool { s := state(shipper, l); return s.Error != "" && !s.Oldest.IsZero() && s.Pending > 100 })
	file := filepath.Join(dir, "audit.jsonl")
	if err := os.Rename(file, file+".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(t.Context()); err != nil {
		t.Fatal(err)
	}
	pruned := len(logLinesOf(t, file+".1"))
	if err := os.Remove(file + ".1"); err != nil {
		t.Fatal(err)
	}
	if err := l.Append(t.Context(), record("last")); err != nil {
		t.Fatal(err)
	}
	receiver.Start()
	await(t, "the rest", func() bool { got := receiver.Received(); return len(got) == len(logLinesOf(t, file)) })
	await(t, "the count", func() bool { s := state(shipper, l); return s.Pending == 0 && s.Oldest.IsZero() && s.Error == "" })
	if s := state(shipper, l); s.Missing != int64(pruned) {
		t.Errorf("%d lines are missing, want %d", s.Missing, pruned)
	}
}

func logLinesOf(t *testing.T, file string) []string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")
}

// ownHere runs a log and ships it to the socket in its directory.
func ownHere(t *testing.T, dir string) (*audit.Log, *Shipper) {
	return ownAndShip(t, dir, Socket{filepath.Join(dir, "log")})
}

func ownAndShip(t *testing.T, dir string, to Destination) (*audit.Log, *Shipper) {
	t.Helper()
	l, err := audit.Open(audit.Options{File: filepath.Join(dir, "audit.jsonl"), Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	shipper := New(Options{
		File: filepath.Join(dir, "audit.jsonl"), Log: l, Destinations: []Destination{to}, Now: time.Now, Logger: logging.Discard,
	})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- l.Run(ctx) }()
	go func() { ended <- shipper.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, <-ended, l.Close()); err != nil {
			t.Error(err)
		}
	})
	return l, shipper
}

func state(s *Shipper, l *audit.Log) ipc.ShipStatus {
	status := l.Status().AuditStatus
	s.Report(&status)
	return status.Ship[0]
}
