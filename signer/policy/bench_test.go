package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc/caller"
)

// population makes n clients that differ in one selector and may share others.
func population(n int, match func(i int) Match) []Client {
	clients := make([]Client, n)
	for i := range clients {
		clients[i] = Client{Name: fmt.Sprintf("client-%d", i), Match: match(i), Grants: []Rule{with(bank(), func(r *Rule) {
			r.Allow = map[string]ClaimRule{"scope": {Words: true, Values: []any{"read", "write"}}}
		})}}
	}
	return clients
}

var populations = []struct {
	name   string
	match  func(i int) Match
	caller func(i int) caller.Caller
}{
	{"uid", func(i int) Match { return Match{UID: id(uint32(i))} }, func(i int) caller.Caller { return caller.Caller{UID: uint32(i)} }},
	{"unit", func(i int) Match { return Match{UID: id(1000), Unit: fmt.Sprintf("app-%d.service", i)} },
		func(i int) caller.Caller { return caller.Caller{UID: 1000, Unit: fmt.Sprintf("app-%d.service", i)} }},
	{"gid", func(i int) Match { return Match{GID: id(uint32(i)), Executable: "/usr/bin/app"} },
		func(i int) caller.Caller {
			return caller.Caller{UID: 1, GID: 1 << 20, Groups: []uint32{1 << 21, uint32(i)}, Executable: "/usr/bin/app"}
		}},
	{"listener", func(i int) Match { return Match{Listener: fmt.Sprintf("/run/%d.sock", i)} },
		func(i int) caller.Caller {
			return caller.Caller{Listener: fmt.Sprintf("/run/%d.sock", i), Client: fmt.Sprintf("client-%d", i)}
		}},
}

// newDecider returns a function that decides for ten callers in turn, spread
// evenly over a population of n clients.
func newDecider(b *testing.B, n int, match func(int) Match, from func(int) caller.Caller) (decide func()) {
	p := mustNew(b, population(n, match)...)
	var callers [10]caller.Caller
	for i := range callers {
		callers[i] = from(i * n / len(callers))
	}
	req := Request{Audience: "https://as.bank.example", Claims: map[string]any{"scope": "read write"}}
	i := 0
	return func() {
		if _, err := p.Decide(callers[i%len(callers)], req); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, kind := range populations {
		for _, n := range []int{10, 1_000, 10_000} {
			b.Run(fmt.Sprintf("by=%s/clients=%d", kind.name, n), func(b *testing.B) {
				decide := newDecider(b, n, kind.match, kind.caller)
				for b.Loop() {
					decide()
				}
			})
		}
	}
}

// A decision costs the same with 10 clients and with 10,000. The two are timed
// alternately, in short batches, so that other load on the machine affects
// both. The metric is the ratio of the medians.
func BenchmarkDecideScaling(b *testing.B) {
	const batch = 50
	for _, kind := range populations {
		b.Run("by="+kind.name, func(b *testing.B) {
			few, many := newDecider(b, 10, kind.match, kind.caller), newDecider(b, 10_000, kind.match, kind.caller)
			var fewTook, manyTook []time.Duration
			for b.Loop() {
				fewTook = append(fewTook, timed(batch, few))
				manyTook = append(manyTook, timed(batch, many))
			}
			b.ReportMetric(float64(median(manyTook))/float64(median(fewTook)), "10000/10")
			b.ReportMetric(float64(median(manyTook))/batch, "ns/decision")
		})
	}
}

func timed(n int, do func()) time.Duration {
	start := time.Now()
	for range n {
		do()
	}
	return time.Since(start)
}

func median(times []time.Duration) time.Duration {
	slices.Sort(times)
	return times[len(times)/2]
}

func BenchmarkRefuse(b *testing.B) {
	p := mustNew(b, population(10_000, populations[0].match)...)
	req := Request{Claims: map[string]any{"n": json.Number("1")}}
	for b.Loop() {
		if _, err := p.Decide(caller.Caller{UID: 5}, req); err == nil {
			b.Fatal("allowed")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	clients := population(10_000, populations[1].match)
	for b.Loop() {
		mustNew(b, clients...)
	}
}

func BenchmarkExplain(b *testing.B) {
	p := mustNew(b, population(10_000, populations[0].match)...)
	for b.Loop() {
		_ = p.Explain(caller.Caller{UID: 5}, Request{}).Text(true)
	}
}
