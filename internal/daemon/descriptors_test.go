package daemon

import (
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDescriptorLimit starts a daemon that can't have as many connections as
// its configuration allows.
func TestDescriptorLimit(t *testing.T) {
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 64, Max: old.Max}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Setrlimit(unix.RLIMIT_NOFILE, &old) })
	r := serveDaemon(t, grantOf("one", ""))
	if log := strings.Join(r.Take(), "\n"); !strings.Contains(log, "limits.connections") {
		t.Errorf("no warning in\n%s", log)
	}
	if limit := r.status().ConnectionLimit; limit < 1 || limit > 48 {
		t.Errorf("the limit is %d", limit)
	}
	if got := r.assert("{}"); got.Status != 200 {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}
