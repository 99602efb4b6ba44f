package ship

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/rsyslog"
)

// written is a log that nobody writes to.
type written struct{ status audit.Status }

func (w written) Status() audit.Status { return w.status }

// writeLog writes a log of so many records.
func writeLog(b *testing.B, file string, records int) written {
	b.Helper()
	l, err := audit.Open(audit.Options{File: file, Sync: audit.SyncNever})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	var writers sync.WaitGroup
	for w := range 16 {
		writers.Go(func() {
			for i := range records / 16 {
				if err := l.Append(ctx, record(fmt.Sprintf("%d-%d", w, i))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	writers.Wait()
	status := l.Status()
	stop()
	if err := <-ended; err != nil {
		b.Error(err)
	}
	if err := l.Close(); err != nil {
		b.Error(err)
	}
	status.Durable = status.Lines
	return written{status}
}

// BenchmarkShip ships a log of 100,000 lines: to rsyslog, which writes it to a
// file, and to an HTTP server that reads it.
func BenchmarkShip(b *testing.B) {
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }))
	defer collector.Close()
	dir := b.TempDir()
	receiver := rsyslog.New(b, dir)
	receiver.Start()
	const lines = 100_000
	for name, to := range map[string]Destination{
		"syslog socket": Socket{filepath.Join(dir, "log")}, "OTLP": Collector{Endpoint: collector.URL},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				file := filepath.Join(b.TempDir(), "audit.jsonl")
				log := writeLog(b, file, lines)
				ctx, stop := context.WithCancel(b.Context())
				s := New(Options{File: file, Log: log, Destinations: []Destination{to}, Now: time.Now, Logger: logging.Discard})
				b.StartTimer()
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				for arrived := int64(0); arrived < log.status.Lines; time.Sleep(time.Millisecond) {
					status := ipc.AuditStatus{Lines: log.status.Lines}
					s.Report(&status)
					arrived = status.Ship[0].Lines
				}
				b.StopTimer()
				stop()
				if err := <-ended; err != nil {
					b.Error(err)
				}
				b.StartTimer()
			}
			b.ReportMetric(lines*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
		})
	}
}
