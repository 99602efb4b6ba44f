package main

import (
	"fmt"
	"io"
	"math"
	"math/bits"
	"strings"
	"sync/atomic"
	"time"
)

// Each power of two of microseconds is divided into 16 steps, so the error of a
// bucket is at most 1/16. The last bucket holds everything longer than an hour.
const (
	stepBits = 4
	steps    = 1 << stepBits
	buckets  = steps * 30
)

// histogram counts latencies. It is safe for concurrent use.
type histogram struct {
	counts [buckets]atomic.Int64
	total  atomic.Int64
	sum    atomic.Int64 // microseconds
	max    atomic.Int64 // microseconds
}

func (h *histogram) add(d time.Duration) {
	us := max(0, d.Microseconds())
	h.counts[bucketOf(us)].Add(1)
	h.total.Add(1)
	h.sum.Add(us)
	for {
		longest := h.max.Load()
		if us <= longest || h.max.CompareAndSwap(longest, us) {
			return
		}
	}
}

func bucketOf(us int64) int {
	shift := max(0, bits.Len64(uint64(us))-stepBits-1)
	return min(buckets-1, steps*shift+int(us>>shift))
}

// upperBound is the longest latency in a bucket, in microseconds.
func upperBound(bucket int) int64 {
	if bucket < 2*steps {
		return int64(bucket)
	}
	shift := bucket/steps - 1
	return int64(bucket-steps*shift+1)<<shift - 1
}

// quantile is the latency that a share of all requests does not exceed.
func (h *histogram) quantile(share float64) time.Duration {
	rank, seen := int64(math.Ceil(share*float64(h.total.Load()))), int64(0)
	for i := range h.counts {
		if seen += h.counts[i].Load(); seen >= rank && seen > 0 {
			return time.Duration(min(upperBound(i), h.max.Load())) * time.Microsecond
		}
	}
	return 0
}

func (h *histogram) mean() time.Duration {
	total := h.total.Load()
	if total == 0 {
		return 0
	}
	return time.Duration(h.sum.Load()/total) * time.Microsecond
}

// draw prints a bar for each power of two from the first to the last with
// requests.
func (h *histogram) draw(out io.Writer) error {
	rows := h.powers()
	first, last, highest := -1, -1, int64(0)
	for i, count := range rows {
		if count == 0 {
			continue
		}
		if first < 0 {
			first = i
		}
		last, highest = i, max(highest, count)
	}
	for i := first; i >= 0 && i <= last; i++ {
		bar := strings.Repeat("#", int(math.Ceil(40*float64(rows[i])/float64(highest))))
		label := "< " + (time.Duration(int64(1)<<i) * time.Microsecond).String()
		if _, err := fmt.Fprintf(out, "  %14s %9d %s\n", label, rows[i], bar); err != nil {
			return err
		}
	}
	return nil
}

// powers sums up the buckets by powers of two.
func (h *histogram) powers() (rows [40]int64) {
	for i := range h.counts {
		rows[bits.Len64(uint64(upperBound(i)))] += h.counts[i].Load()
	}
	return rows
}
