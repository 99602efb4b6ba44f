package pool_test

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/test/softhsm"
)

// BenchmarkHop is the way to a worker and back without a signature: cpu-µs/op
// is the CPU time of both processes.
func BenchmarkHop(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("callers-%d", callers), func(b *testing.B) {
			c := config(tokenConfig(softhsm.New(b)))
			c.Workers, c.Depth = 1, 64
			p := runReady(b, c)
			measure(b, p, callers, func() error { return p.Ping(b.Context()) })
		})
	}
}

// BenchmarkPool makes signatures without verifying them.
func BenchmarkPool(b *testing.B) {
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		for workers := 1; workers <= 3; workers++ {
			for _, callers := range []int{1, 8, 32} {
				b.Run(fmt.Sprintf("%s/workers-%d/callers-%d", typ, workers, callers), func(b *testing.B) { benchmarkPool(b, typ, false, workers, callers) })
			}
		}
	}
}

func benchmarkPool(b *testing.B, typ hsm.KeyType, copies bool, workers, callers int) {
	c := config(tokenConfig(softhsm.New(b)))
	c.Workers = workers
	c.Tokens[0].HSM.SessionCopies = copies
	p := runReady(b, c)
	k := p.generate(typ)
	digest, opts := digestOf(k, "text")
	sign := func() error {
		_, err := p.Sign(b.Context(), "", k.Ref, digest, opts, nil)
		return err
	}
	for range 20 * workers { // until every worker has found the key
		if err := sign(); err != nil {
			b.Fatal(err)
		}
	}
	measure(b, p, callers, sign)
}

// BenchmarkCopies is BenchmarkPool's first row with session copies.
func BenchmarkCopies(b *testing.B) {
	for _, callers := range []int{1, 8, 32} {
		b.Run(fmt.Sprintf("workers-2/callers-%d", callers), func(b *testing.B) { benchmarkPool(b, hsm.P256, true, 2, callers) })
	}
}

// BenchmarkRaw is the baseline: the same signatures in this process, by one
// goroutine.
func BenchmarkRaw(b *testing.B) {
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		b.Run(string(typ), func(b *testing.B) {
			soft := softhsm.New(b)
			pin := hsm.NewPIN([]byte(soft.PIN))
			token, err := hsm.Open(hsm.Config{Module: soft.Module, Label: soft.Label}, pin)
			if err != nil {
				b.Fatal(err)
			}
			defer token.Close()
			k, err := token.Generate(hsm.Spec{Label: "bench", Type: typ})
			if err != nil {
				b.Fatal(err)
			}
			digest, opts := digestOf(wire.KeyInfo{Type: typ}, "text")
			measure(b, nil, 1, func() error { _, err := k.Sign(nil, digest, opts); return err })
		})
	}
}

// measure runs f b.N times from so many goroutines, and reports operations per
// second and the CPU time of this process and the workers.
func measure(b *testing.B, p *running, callers int, f func() error) {
	b.Helper()
	var pids []int
	if p != nil {
		pids = p.pids()
	}
	var next atomic.Int64
	var all sync.WaitGroup
	front, workers := ownCPU(b), threadsCPU(b, pids)
	b.ResetTimer()
	for range callers {
		all.Go(func() {
			for next.Add(1) <= int64(b.N) {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	b.StopTimer()
	front, workers = ownCPU(b)-front, threadsCPU(b, pids)-workers
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "op/s")
	b.ReportMetric(float64(front.Nanoseconds())/1e3/float64(b.N), "front-cpu-µs/op")
	b.ReportMetric(float64((front+workers).Nanoseconds())/1e3/float64(b.N), "cpu-µs/op")
}

func ownCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// threadsCPU adds up the CPU time of the processes' threads as the scheduler
// counts it.
func threadsCPU(b *testing.B, pids []int) (total time.Duration) {
	for _, pid := range pids {
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
		if err != nil {
			b.Fatal(err)
		}
		for _, thread := range threads {
			var ns time.Duration
			text, _ := os.ReadFile(thread)
			if _, err := fmt.Sscan(string(text), &ns); err == nil {
				total += ns
			}
		}
	}
	return total
}
