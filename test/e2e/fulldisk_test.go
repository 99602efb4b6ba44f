package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc"
)

// TestFullDisk fills the disk of the audit log under load. No assertion is
// released without a record, callers get audit-unavailable, and the daemon
// reports that it is not ready. It recovers once there is room. Mounting a
// small disk needs root; internal/audit has a test of the log alone that does
// not.
func TestFullDisk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Log("not root, cannot mount a small disk; see TestFileSizeLimit in internal/audit")
		return
	}
	s := newSite(t)
	disk := filepath.Dir(s.log)
	if err := unix.Mount("tmpfs", disk, "tmpfs", 0, "size=512k,mode=0700"); errors.Is(err, unix.EPERM) {
		t.Logf("root, but cannot mount: %v", err)
		return
	} else {
		check(t, err)
	}
	t.Cleanup(func() { check(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	ballast := filepath.Join(disk, "ballast")
	check(t, os.WriteFile(ballast, []byte(strings.Repeat("x", 256<<10)), 0o600))
	process := s.serve()
	l := s.newLoad(4)
	eventually(t, "refusals", func() bool { return l.refusals(ipc.CodeAuditUnavailable) > 100 })
	if ready := s.ready(); ready.Reason != ipc.ReasonAuditUnavailable {
		t.Errorf("with a full disk: %+v", ready)
	}
	before := l.released.Load()
	check(t, os.Remove(ballast))
	eventually(t, "assertions again", func() bool { return l.released.Load() > before+50 })
	s.awaitReady()
	l.end()
	check(t, process.Process.Signal(signals["TERM"]))
	check(t, process.Wait())
	s.recorded(l.jtis)
	report := s.verify()
	if report.Recoveries == 0 {
		t.Errorf("the log does not record the outage: %+v", report)
	}
	for code := range l.refused {
		if code != ipc.CodeAuditUnavailable {
			t.Errorf("%d requests refused with %s", l.refused[code], code)
		}
	}
	t.Logf("%d assertions released, %d refused; %s", len(l.jtis), l.refused[ipc.CodeAuditUnavailable], report.Summary())
}
