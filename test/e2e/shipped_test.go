package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/test/rsyslog"
)

// TestShipped ships a daemon's audit log to rsyslog. Every line arrives, in
// order, although the daemon is killed under load and rsyslog is stopped.
func TestShipped(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	s.configure("interval: 20ms", "interval: 20ms, max_size: 64KiB, ship: [{syslog: {socket: "+filepath.Join(dir, "log")+"}}]")
	receiver := rsyslog.New(t, dir)
	receiver.Start()
	first := s.serve()
	l := s.newLoad(1)
	arrived := func(n int) {
		t.Helper()
		eventually(t, fmt.Sprintf("%d lines arrive", n), func() bool { return len(receiver.Received()) >= n })
	}
	arrived(100)
	check(t, first.Process.Kill())
	_ = first.Wait()
	second := s.serve()
	receiver.Stop()
	before := l.released.Load()
	eventually(t, "records without a receiver", func() bool { return l.released.Load() > before+50 })
	receiver.Start()
	arrived(len(receiver.Received()) + 100)
	l.end()
	check(t, second.Process.Signal(signals["TERM"]))
	check(t, second.Wait())
	third := s.serve() // ships what the drain wrote
	want := auditLines(t, s.log)
	arrived(len(want))
	// Its workers would outlive a kill, and write to the token.
	check(t, third.Process.Signal(signals["TERM"]))
	check(t, third.Wait())
	for i, line := range receiver.Received()[:len(want)] {
		if line != want[i] {
			t.Fatalf("line %d arrived as\n%s\nthe log has\n%s", i, line, want[i])
		}
	}
}

// auditLines returns the lines of all files of a log, in order, without one
// that is being written.
func auditLines(t *testing.T, file string) []string {
	t.Helper()
	files, err := filepath.Glob(file + ".2*")
	check(t, err)
	var all strings.Builder
	for _, name := range append(files, file) {
		content, err := os.ReadFile(name)
		check(t, err)
		all.Write(content)
	}
	text := all.String()
	return strings.Split(text[:strings.LastIndexByte(text, '\n')], "\n")
}
