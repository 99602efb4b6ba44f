package e2e

import (
	"math/rand/v2"
	"testing"
	"time"
)

// kills is how often the test kills the daemon.
const kills = 20

// TestKilled kills the daemon with SIGKILL again and again while callers are at
// work. Each time every assertion that a caller received is on record, and the
// log verifies as complete and in order.
func TestKilled(t *testing.T) {
	s := newSite(t)
	l := s.newLoad(8)
	for range kills {
		process := s.serve()
		before := l.released.Load()
		eventually(t, "assertions", func() bool { return l.released.Load() > before+20 })
		time.Sleep(rand.N(100 * time.Millisecond)) // during any write, sync, or checkpoint
		check(t, process.Process.Kill())
		_ = process.Wait()
		l.mu.Lock()
		jtis := append([]string(nil), l.jtis...)
		l.mu.Unlock()
		s.recorded(jtis)
		s.verify()
	}
	l.end()
	process := s.serve()
	check(t, process.Process.Signal(signals["TERM"]))
	check(t, process.Wait())
	s.recorded(l.jtis)
	report := s.verify()
	if report.Unproven != 0 || report.Checkpoints == 0 || report.Unverified != 0 {
		t.Errorf("after a clean stop: %+v", report)
	}
	t.Logf("%d assertions released in %d lives; %s", len(l.jtis), kills, report.Summary())
}
