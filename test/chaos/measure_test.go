package chaos

import (
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// growth is how much more memory the daemon may have after the run.
const growth = 1.2

// measurement is what the daemon's own process has taken from the system.
type measurement struct {
	descriptors    int
	resident, peak int // in MiB
}

// measure makes the daemon reload first: it then gives unused memory back, and
// lets the heap grow again afterwards, by as much as its collector's pace
// allows. Operators have one connection then, however many they had at the same
// time.
func (r *run) measure() measurement {
	r.site.operator.Close()
	r.reload(r.site.configuration(""), nil)
	pid := strconv.Itoa(r.site.daemon.Process.Pid)
	return measurement{r.site.descriptors(pid), r.site.memory(pid, "VmRSS"), r.site.memory(pid, "VmHWM")}
}

// descriptors takes root, or sudo: the daemon hides them from its own user.
func (s *site) descriptors(pid string) int {
	s.t.Helper()
	out, err := s.disk.rootCommand("ls", "/proc/"+pid+"/fd").Output()
	if err != nil && !s.disk.noRoot {
		s.t.Errorf("count the daemon's descriptors: %v", err)
	}
	return len(strings.Fields(string(out)))
}

// memory returns a size from the daemon's /proc/PID/status, in MiB.
func (s *site) memory(pid, field string) int {
	s.t.Helper()
	text, err := os.ReadFile("/proc/" + pid + "/status")
	check(s.t, err)
	found := regexp.MustCompile(field + `:\s+(\d+) kB`).FindSubmatch(text)
	if found == nil {
		s.t.Fatalf("/proc/%s/status has no %s", pid, field)
	}
	size, err := strconv.Atoi(string(found[1]))
	check(s.t, err)
	return size >> 10
}

// settled measures until the daemon has given back what it took.
func (r *run) settled(before measurement) (after measurement) {
	problem := "never measured"
	for end := time.Now().Add(patience); problem != "" && time.Now().Before(end); time.Sleep(time.Second) {
		after = r.measure()
		problem = after.exceeds(before)
	}
	if problem != "" {
		r.site.t.Error(problem)
	}
	return after
}

// exceeds says what the daemon has more of than it may, if anything.
func (m measurement) exceeds(before measurement) string {
	if m.descriptors > before.descriptors {
		return fmt.Sprintf("the daemon has %d descriptors, %d before", m.descriptors, before.descriptors)
	}
	if float64(m.resident) > growth*float64(before.resident) {
		return fmt.Sprintf("the daemon has %d MiB of memory, %d MiB before", m.resident, before.resident)
	}
	return ""
}
