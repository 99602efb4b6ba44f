package chaos

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
)

// report is the table that the run ends with. Requests that the daemon refused,
// and that the SDK then repeated with success, are retried.
type report struct {
	phases        []*phase
	leftOut       []string
	before, after measurement
	replaced      int          // workers
	good, bad     atomic.Int64 // reloads
}

func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%-16s %9s %9s %8s %8s %11s %9s\n", "phase", "requests", "ok", "retried", "refused", "unexpected", "recovery")
	total := tally{}
	for _, p := range r.phases {
		total.add(p.tally)
		p.tally.print(w, p.name, p.recovery.Round(time.Millisecond).String())
	}
	total.print(w, "total", "")
	fmt.Fprintf(w, "\n%-16s %9s %9s\n", "daemon", "before", "after")
	if r.before.descriptors > 0 {
		fmt.Fprintf(w, "%-16s %9d %9d\n", "descriptors", r.before.descriptors, r.after.descriptors)
	}
	fmt.Fprintf(w, "%-16s %9d %9d  x %.2f, %d at most in between\n", "memory in MiB", r.before.resident, r.after.resident,
		float64(r.after.resident)/float64(r.before.resident), r.after.peak)
	fmt.Fprintf(w, "%d workers replaced; %d reloads accepted, %d refused as they should be\n", r.replaced, r.good.Load(), r.bad.Load())
	for _, phase := range r.leftOut {
		fmt.Fprintf(w, "left out: %s\n", phase)
	}
}

func (t tally) print(w io.Writer, name, recovery string) {
	line := fmt.Sprintf("%-16s %9d %9d %8d %8d %11d %9s", name, t.requests, t.ok, t.retried, t.refused, t.unexpected, recovery)
	fmt.Fprintln(w, strings.TrimRight(line, " "))
}
