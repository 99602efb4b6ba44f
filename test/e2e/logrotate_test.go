package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"
)

// The file for logrotate that is shipped works with the real one: no record is
// lost, and the log verifies across the files.
func TestLogrotate(t *testing.T) {
	s := newSite(t)
	process := s.serve()
	shipped, err := os.ReadFile("../../deploy/logrotate/assertd")
	check(t, err)
	text := string(shipped)
	for pattern, here := range map[string]string{
		`(?m)^/\S+/audit\.jsonl`:           s.log,
		`(?m)^\s*su .*$`:                   "",
		`(?m)^\s*systemctl kill .*USR1.*$`: fmt.Sprintf("kill -USR1 %d", process.Process.Pid),
		`(?m)dateext$`:                     "dateext\ndateformat -%s",
	} {
		changed := regexp.MustCompile(pattern).ReplaceAllLiteralString(text, here)
		if changed == text {
			t.Fatalf("the shipped file has no %s", pattern)
		}
		text = changed
	}
	config := filepath.Join(t.TempDir(), "logrotate.conf")
	check(t, os.WriteFile(config, []byte(text), 0o600))

	l := s.newLoad(4)
	for rotated := 1; rotated <= 2; rotated++ {
		// The names of the files have seconds in them, and logrotate's clock is
		// some milliseconds late.
		before, next := l.released.Load(), time.Now().Add(1100*time.Millisecond)
		eventually(t, "assertions, and another second", func() bool {
			return l.released.Load() > before+100 && time.Now().After(next)
		})
		rotate := exec.Command("/usr/sbin/logrotate", "--force", "--state", filepath.Join(filepath.Dir(config), "state"), config)
		if out, err := rotate.CombinedOutput(); err != nil {
			t.Fatalf("logrotate: %v: %s", err, out)
		}
		eventually(t, "a new file", func() bool {
			_, err := os.Stat(s.log)
			return err == nil
		})
	}
	before := l.released.Load()
	eventually(t, "assertions after the rotation", func() bool { return l.released.Load() > before+100 })
	l.end()
	s.unzip()
	s.recorded(l.jtis)
}

// unzip verifies the log, and then decompresses what logrotate compressed.
func (s *site) unzip() {
	s.t.Helper()
	if report := s.verify(); report.Files != 3 || report.Checkpoints == 0 || report.Unverified != 0 {
		s.t.Errorf("%+v", report)
	}
	compressed, err := filepath.Glob(s.log + "*.gz")
	check(s.t, err)
	if len(compressed) != 1 {
		s.t.Errorf("logrotate compressed %v", compressed)
	}
	check(s.t, exec.Command("gunzip", compressed...).Run())
}
