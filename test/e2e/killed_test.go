package e2e

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"
)

// kills is how often TestKilled kills the daemon. make audit-chaos sets it.
var kills = flag.Int("kills", 0, "how often TestKilled kills the daemon; 0 for as often as it can in a minute")

// killsPerLog is after how many kills TestKilled starts a fresh log.
const killsPerLog = 20

// TestKilled kills the daemon with SIGKILL again and again, at random moments,
// while callers are at work and its log rotates and gets checkpoints. Each time
// every assertion that a caller received is on record, and the log verifies as
// complete and in order, which also means that it has no number twice.
func TestKilled(t *testing.T) {
	enough := time.Now().Add(time.Minute)
	if testing.Short() {
		enough = time.Now().Add(10 * time.Second)
	}
	done := 0
	more := func() bool { return done < *kills || *kills == 0 && time.Now().Before(enough) }
	for more() {
		ok := t.Run(fmt.Sprintf("log%d", done/killsPerLog), func(t *testing.T) {
			s := newSite(t)
			s.configure("interval: 20ms", "interval: 20ms, max_size: 64KiB")
			t.Cleanup(s.showLog)
			c := &chaos{site: s, load: s.newLoad(8)}
			for n := 0; n < killsPerLog && more() && !t.Failed(); n++ {
				c.kill()
				done++
			}
			c.settle()
		})
		if !ok {
			break
		}
	}
	t.Logf("%d kills", done)
}

// chaos is a site whose daemon is killed under load.
type chaos struct {
	*site
	load *load
}

// kill runs the daemon for a while and kills it: during its start, or during
// any write, sync, rotation or checkpoint.
func (c *chaos) kill() {
	c.t.Helper()
	process := c.launch((*exec.Cmd).Start)
	if rand.N(4) == 0 {
		time.Sleep(rand.N(500 * time.Millisecond))
	} else {
		before := c.load.released.Load()
		within(c.t, 2*time.Minute, "assertions", func() bool { return c.load.released.Load() > before+20 })
		time.Sleep(rand.N(300 * time.Millisecond))
	}
	check(c.t, process.Process.Kill())
	_ = process.Wait()
	c.load.mu.Lock()
	jtis := append([]string(nil), c.load.jtis...)
	c.load.mu.Unlock()
	if len(jtis) > 0 {
		c.recorded(jtis)
		c.verify()
	}
}

// settle stops the daemon cleanly and checks that nothing is missing or
// unproven.
func (c *chaos) settle() {
	c.t.Helper()
	c.load.end()
	process := c.serve()
	check(c.t, process.Process.Signal(signals["TERM"]))
	check(c.t, process.Wait())
	c.recorded(c.load.jtis)
	report := c.verify()
	if report.Unproven != 0 || report.Checkpoints == 0 || report.Unverified != 0 || report.First != 0 || len(report.Gaps) > 0 {
		c.t.Errorf("after a clean stop: %+v", report)
	}
	c.t.Logf("%d assertions released; %d files, %d checkpoints; %s", len(c.load.jtis), report.Files, report.Checkpoints, report.Summary())
}
