package main

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestBucketsCoverEveryLatencyOnce(t *testing.T) {
	last := -1
	for bucket := range buckets - 1 {
		low, high := upperBound(bucket-1)+1, upperBound(bucket)
		if bucket == 0 {
			low = 0
		}
		if int(low) <= last && bucket > 0 {
			t.Fatalf("bucket %d begins at %d, the last one ended at %d", bucket, low, last)
		}
		for _, us := range []int64{low, high} {
			if got := bucketOf(us); got != bucket {
				t.Fatalf("%dµs is in bucket %d, want %d", us, got, bucket)
			}
		}
		last = int(high)
	}
	if got := bucketOf(int64(100 * time.Hour / time.Microsecond)); got >= buckets {
		t.Errorf("a very long latency is in bucket %d of %d", got, buckets)
	}
}

func TestQuantilesAreWithinOneSixteenth(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	h := &histogram{}
	var all []time.Duration
	for range 10_000 {
		d := time.Duration(random.ExpFloat64() * float64(time.Millisecond)).Truncate(time.Microsecond)
		all = append(all, d)
		h.add(d)
	}
	slices.Sort(all)
	for _, share := range []float64{0.01, 0.5, 0.9, 0.99, 1} {
		exact := all[int(share*float64(len(all)))-1]
		if got := h.quantile(share); got < exact || got > exact+exact/16+time.Microsecond {
			t.Errorf("%v: %v, want %v", share, got, exact)
		}
	}
}

func TestHistogramWithoutRequests(t *testing.T) {
	h := &histogram{}
	var out bytes.Buffer
	if err := h.draw(&out); err != nil || out.Len() != 0 || h.quantile(0.5) != 0 || h.mean() != 0 {
		t.Errorf("got %q, %v, %v, %v", out.String(), err, h.quantile(0.5), h.mean())
	}
}

func TestHistogramDrawsPowersOfTwo(t *testing.T) {
	h := &histogram{}
	for _, us := range []int64{1, 63, 64, 300} {
		h.add(time.Duration(us) * time.Microsecond)
	}
	var out bytes.Buffer
	if err := h.draw(&out); err != nil {
		t.Fatal(err)
	}
	for _, row := range []string{"< 2µs         1 #", "< 64µs         1 #", "< 128µs         1 #", "< 256µs         0 \n", "< 512µs         1 #"} {
		if !strings.Contains(out.String(), row) {
			t.Errorf("no row %q in\n%s", row, out.String())
		}
	}
}
