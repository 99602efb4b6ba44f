package ship

import (
	"context"
	"net"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
)

// TestStuckReceiver: a receiver that reads nothing holds up no record and not
// the end, and nothing counts as delivered.
func TestStuckReceiver(t *testing.T) {
	dir := t.TempDir()
	receiver, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "log"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer receiver.Close()
	l, err := audit.Open(audit.Options{File: filepath.Join(dir, "audit.jsonl"), Interval: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{
		File: filepath.Join(dir, "audit.jsonl"), Log: l, Destinations: []Destination{Socket{filepath.Join(dir, "log")}},
		Now: time.Now, Logger: logging.Discard,
	})
	ctx, stop := context.WithCancel(t.Context())
	logEnded, shipEnded := make(chan error, 1), make(chan error, 1)
	go func() { logEnded <- l.Run(ctx) }()
	go func() { shipEnded <- s.Run(ctx) }()
	for i := range 1000 {
		if err := l.Append(t.Context(), record(strconv.Itoa(i))); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the lag", func() bool { return !state(s, l).Oldest.IsZero() })
	if at := state(s, l); at.Lines != 0 || at.Pending < 1000 {
		t.Errorf("%d lines count as delivered, %d as pending", at.Lines, at.Pending)
	}
	stop()
	if err := <-logEnded; err != nil {
		t.Error(err)
	}
	select {
	case <-shipEnded:
	case <-time.After(patience):
		t.Error("shipping does not end")
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}
