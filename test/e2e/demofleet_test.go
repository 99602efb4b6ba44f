package e2e

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"
)

// TestDemoFleet runs what make demo-fleet does. It must fit one screen and
// leave nothing running.
func TestDemoFleet(t *testing.T) {
	demo := exec.Command("../demo-fleet.sh")
	demo.Env = append(os.Environ(), "BIN="+binaries, "TMPDIR="+t.TempDir())
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var refused strings.Builder
	demo.Stderr = &refused
	out, err := demo.Output()
	if err != nil {
		t.Fatalf("%v\n%s%s", err, out, refused.String())
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(lines) > 24 {
		t.Errorf("%d lines:\n%s", len(lines), out)
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("more than 80 columns: %s", line)
		}
	}
	for _, said := range []string{"two: rate-limited:", "three: frozen:", "one: budget-unavailable:"} {
		if !strings.Contains(string(out), said) {
			t.Errorf("not in the output: %s\n%s", said, out)
		}
	}
	// A process that has ended is in its group until init has noticed.
	for end := time.Now().Add(10 * time.Second); !errors.Is(syscall.Kill(-demo.Process.Pid, 0), syscall.ESRCH); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the demo left processes running")
		}
	}
}
