package audit

import (
	"context"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// BenchmarkAppend measures a record with each Sync, with one caller and with
// 32. cpu-µs/op is the total CPU time of the process per record. It matters
// more than the time that one Append takes, because signatures get what is
// left.
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []Sync{SyncAlways, SyncInterval, SyncNever} {
		for _, callers := range []int{1, 32} {
			b.Run(string(sync)+"/callers="+strconv.Itoa(callers), func(b *testing.B) {
				l, err := Open(Options{File: filepath.Join(b.TempDir(), "audit.jsonl"), Sync: sync})
				if err != nil {
					b.Fatal(err)
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := make(chan error)
				go func() { done <- l.Run(ctx) }()
				benchAppend(b, l, callers)
				cancel()
				if err := <-done; err != nil {
					b.Error(err)
				}
				l.Close()
			})
		}
	}
}

func benchAppend(b *testing.B, l *Log, callers int) {
	r := sample("b1946ac92492d2347c6235b4d2611184")
	before := cpuTime(b)
	b.ReportAllocs()
	b.ResetTimer()
	var wait sync.WaitGroup
	for c := range callers {
		wait.Go(func() {
			for i := c; i < b.N; i += callers {
				if err := l.Append(context.Background(), r); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64((cpuTime(b)-before).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

func BenchmarkEncode(b *testing.B) {
	r := sample("b1946ac92492d2347c6235b4d2611184")
	var buf []byte
	var h head
	b.ReportAllocs()
	for b.Loop() {
		body, err := r.encode(buf[:0])
		if err != nil {
			b.Fatal(err)
		}
		buf = h.appendLine(body, body)[:0]
	}
}

func BenchmarkVerify(b *testing.B) {
	file := filepath.Join(b.TempDir(), "audit.jsonl")
	const lines = 100_000
	writeLongLog(b, file, lines)
	for b.Loop() {
		mustVerify(b, []string{file}, VerifyOptions{})
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}

func BenchmarkOpen(b *testing.B) {
	file := filepath.Join(b.TempDir(), "audit.jsonl")
	const lines = 100_000
	writeLongLog(b, file, lines)
	for b.Loop() {
		l, err := Open(Options{File: file})
		if err != nil {
			b.Fatal(err)
		}
		l.Close()
	}
	b.ReportMetric(float64(b.N)*lines/b.Elapsed().Seconds(), "lines/s")
}

func cpuTime(b *testing.B) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
