package e2e

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/faultydisk"
)

// patience is the audit.timeout of the tests below.
const patience = time.Second

// faultySite is a site whose records wait for a disk that the test can freeze.
func faultySite(t *testing.T) *site {
	t.Helper()
	s := newSite(t)
	s.configure("interval: 20ms", "sync: always, timeout: "+patience.String())
	return s
}

// outage checks what callers and operators see while the disk is at fault, and
// that all is well again soon after repair.
func (s *site) outage(l *load, repair func()) {
	s.t.Helper()
	start := time.Now()
	before := l.refusals(ipc.CodeAuditUnavailable)
	eventually(s.t, "refusals", func() bool { return l.refusals(ipc.CodeAuditUnavailable) > before })
	refused := time.Since(start)
	eventually(s.t, "the daemon is not ready", func() bool { return s.ready().Reason == ipc.ReasonAuditUnavailable })
	released := l.released.Load()
	repair()
	start = time.Now()
	eventually(s.t, "assertions again", func() bool { return l.released.Load() > released+20 })
	s.awaitReady()
	s.t.Logf("refused after %v, ready %v after the repair", refused, time.Since(start))
}

// settle checks that what was released is on record and the log verifies, after
// the daemon has ended and after it has started again.
func (s *site) settle(l *load) {
	s.t.Helper()
	l.end()
	s.recorded(l.jtis)
	s.verify()
	process := s.serve()
	check(s.t, process.Process.Signal(signals["TERM"]))
	check(s.t, process.Wait())
	if report := s.verify(); report.Unproven != 0 {
		s.t.Errorf("after a clean stop: %+v", report)
	}
	for code, n := range l.refused {
		if code != ipc.CodeAuditUnavailable && code != ipc.CodeDraining {
			s.t.Errorf("%d requests refused with %s", n, code)
		}
	}
}

// TestFrozenAuditDisk stops the disk of the audit log from answering under
// load. Requests are refused in time, the daemon is not ready, recovers by
// itself, and ends on SIGTERM although its disk is frozen again.
func TestFrozenAuditDisk(t *testing.T) {
	s := faultySite(t)
	var disk faultydisk.Disk
	process := s.serveWith(disk.Start)
	l := s.newLoad(4)
	eventually(t, "assertions", func() bool { return l.released.Load() > 20 })
	disk.Freeze()
	s.outage(l, disk.Thaw)
	disk.Freeze()
	before := disk.Waited()
	eventually(t, "a write", func() bool { return disk.Waited() > before })
	check(t, process.Process.Signal(signals["TERM"]))
	awaitExit(t, process)
	s.settle(l)
}

// awaitExit waits until the process has ended.
func awaitExit(t *testing.T, process *exec.Cmd) {
	t.Helper()
	ended := make(chan error, 1)
	go func() { ended <- process.Wait() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("the daemon did not end within 30 s of SIGTERM")
	}
}

// TestFailingAuditDisk makes the disk of the audit log fail under load.
func TestFailingAuditDisk(t *testing.T) {
	s := faultySite(t)
	var disk faultydisk.Disk
	process := s.serveWith(disk.Start)
	l := s.newLoad(4)
	eventually(t, "assertions", func() bool { return l.released.Load() > 20 })
	disk.Fail(unix.EIO)
	s.outage(l, disk.Thaw)
	check(t, process.Process.Signal(signals["TERM"]))
	awaitExit(t, process)
	s.settle(l)
}

// TestFrozenAuditFileSystem is TestFrozenAuditDisk with a real file system that
// is frozen, and with the default sync: writes wait too. Mounting one needs
// root.
func TestFrozenAuditFileSystem(t *testing.T) {
	s := newSite(t)
	s.configure("interval: 20ms", "interval: 20ms, timeout: "+patience.String())
	fs := mountExt4(t, t.TempDir(), filepath.Dir(s.log))
	if fs == nil {
		return
	}
	defer fs.control(thaw) // before the daemons are killed, if the test fails
	process := s.serve()
	l := s.newLoad(4)
	eventually(t, "assertions", func() bool { return l.released.Load() > 20 })
	fs.freeze(t)
	s.outage(l, func() { fs.thaw(t) })
	fs.freeze(t)
	eventually(t, "refusals", func() bool { return s.ready().Reason == ipc.ReasonAuditUnavailable })
	check(t, process.Process.Signal(signals["TERM"]))
	// The kernel keeps the thread whose write is under way until the file system
	// is thawed, and nothing else of the process.
	eventually(t, "only the thread in the kernel is left", func() bool { return onlyWaiting(process.Process.Pid) })
	if c, err := net.Dial("unix", s.layout.Socket); err == nil {
		c.Close()
		t.Error("the socket is still served")
	}
	fs.thaw(t)
	awaitExit(t, process)
	fs.freeze(t)
	process = s.launch((*exec.Cmd).Start)
	eventually(t, "a start on a frozen disk fails", func() bool {
		text, _ := os.ReadFile(filepath.Join(s.layout.Dir, "log"))
		return strings.Contains(string(text), "audit.jsonl.lock: the disk did not answer within 1s")
	})
	fs.thaw(t)
	awaitExit(t, process)
	s.settle(l)
}

// onlyWaiting reports whether all threads that a process still has are dead or
// in an uninterruptible system call.
func onlyWaiting(pid int) bool {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/stat")
	for _, name := range threads {
		text, _ := os.ReadFile(name)
		_, rest, found := strings.Cut(string(text), ") ")
		if found && rest[0] != 'D' && rest[0] != 'Z' && rest[0] != 'X' {
			return false
		}
	}
	return len(threads) <= 2
}

// TestFailingAuditDevice is TestFailingAuditDisk with a real device that fails:
// a thin-provisioned one whose storage is used up. Mounting one needs root.
func TestFailingAuditDevice(t *testing.T) {
	s := faultySite(t)
	storage := t.TempDir()
	if err := unix.Mount("tmpfs", storage, "tmpfs", 0, "size=16m,mode=0700"); err != nil {
		t.Logf("cannot mount a file system: %v; TestFailingAuditDisk covers the log", err)
		return
	}
	t.Cleanup(func() { check(t, unix.Unmount(storage, unix.MNT_DETACH)) })
	if mountExt4(t, storage, filepath.Dir(s.log)) == nil {
		return
	}
	process := s.serve()
	l := s.newLoad(4)
	eventually(t, "assertions", func() bool { return l.released.Load() > 20 })
	ballast := filepath.Join(storage, "ballast")
	useUp(t, ballast)
	s.outage(l, func() { check(t, os.Remove(ballast)) })
	check(t, process.Process.Signal(signals["TERM"]))
	awaitExit(t, process)
	s.settle(l)
}

// useUp writes a file until its file system is full.
func useUp(t *testing.T, name string) {
	t.Helper()
	f, err := os.Create(name)
	check(t, err)
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}

// ext4 is a small file system of its own, mounted from a file.
type ext4 struct{ directory *os.File }

// mountExt4 mounts one from a sparse file in a directory, or says why it can't.
func mountExt4(t *testing.T, storage, at string) *ext4 {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("not root, cannot mount a file system; TestFrozenAuditDisk and TestFailingAuditDisk cover the log")
		return nil
	}
	image := filepath.Join(storage, "disk")
	check(t, os.WriteFile(image, nil, 0o600))
	check(t, os.Truncate(image, 64<<20))
	for _, command := range [][]string{
		{"mkfs.ext4", "-q", "-O", "^has_journal", image},
		{"mount", "-o", "loop", image, at},
	} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Logf("%v: %v: %s; TestFrozenAuditDisk and TestFailingAuditDisk cover the log", command, err, out)
			return nil
		}
	}
	t.Cleanup(func() { check(t, unix.Unmount(at, unix.MNT_DETACH)) })
	directory, err := os.Open(at)
	check(t, err)
	fs := &ext4{directory}
	t.Cleanup(func() {
		_ = fs.control(thaw)
		check(t, directory.Close())
	})
	return fs
}

// The requests of linux/fs.h, the same on all architectures that we build for.
const (
	freeze = 0xc0045877 // FIFREEZE
	thaw   = 0xc0045878 // FITHAW
)

func (fs *ext4) freeze(t *testing.T) { t.Helper(); check(t, fs.control(freeze)) }
func (fs *ext4) thaw(t *testing.T)   { t.Helper(); check(t, fs.control(thaw)) }

func (fs *ext4) control(request uint) error {
	err := unix.IoctlSetInt(int(fs.directory.Fd()), request, 0)
	if errors.Is(err, unix.EINVAL) { // not frozen
		return nil
	}
	return err
}
