package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// TestWorkersIgnoreSignals sends workers the signals that a terminal or systemd
// sends to a whole process group. Only the daemon decides when workers stop:
// before it exits it still signs pending requests and a last checkpoint.
func TestWorkersIgnoreSignals(t *testing.T) {
	s := newSite(t)
	process := s.serve()
	l := s.newLoad(4)
	var workers []int
	eventually(t, "assertions by two workers", func() bool {
		workers = childrenThat(t, process.Process.Pid, "hsm-worker")
		return len(workers) == 2 && l.released.Load() > 100
	})
	for _, name := range []string{"TERM", "INT", "HUP", "USR1"} {
		signalAll(t, workers, signals[name])
	}
	before := l.released.Load()
	eventually(t, "more assertions", func() bool { return l.released.Load() > before+100 })
	if now := childrenThat(t, process.Process.Pid, "hsm-worker"); !slices.Equal(now, workers) {
		t.Errorf("workers %v were replaced by %v", workers, now)
	}
	signalAll(t, append(workers, process.Process.Pid), syscall.SIGTERM)
	check(t, process.Wait())
	l.end()
	s.recorded(l.jtis)
	if report := s.verify(); report.Unproven != 0 || report.Checkpoints == 0 || report.Unverified != 0 {
		t.Errorf("the last checkpoint was not signed: %+v", report)
	}
}

func signalAll(t *testing.T, pids []int, signal syscall.Signal) {
	t.Helper()
	for _, pid := range pids {
		check(t, syscall.Kill(pid, signal))
	}
}

// childrenThat returns the sorted child processes that run a command of
// assertd.
func childrenThat(t *testing.T, pid int, command string) []int {
	return slices.DeleteFunc(children(t, pid), func(child int) bool {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", child)) // none if it has ended
		return !strings.Contains(string(line), command)
	})
}

// children returns the child processes of a process, sorted.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	check(t, err)
	for _, list := range lists {
		text, err := os.ReadFile(list)
		check(t, err)
		for _, field := range strings.Fields(string(text)) {
			child, err := strconv.Atoi(field)
			check(t, err)
			pids = append(pids, child)
		}
	}
	slices.Sort(pids)
	return pids
}
