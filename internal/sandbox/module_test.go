package sandbox

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/ipc"
)

func TestNetworkOfModule(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "libsofthsm2.so"), filepath.Join(dir, "module.so")
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		configured config.Network
		module     string
		want       config.Network
	}{
		{"", "/usr/lib/softhsm/libsofthsm2.so", config.NetworkNone}, {"", link, config.NetworkNone},
		{"", "/opt/vendor/lib/libvendor.so", config.NetworkAny}, {"", "/opt/vendor/lib/libsofthsm2.so.d/x.so", config.NetworkAny},
		{config.NetworkAny, target, config.NetworkAny}, {config.NetworkUnix, "/opt/vendor/lib/libvendor.so", config.NetworkUnix},
	} {
		if got := Network(c.configured, c.module); got != c.want {
			t.Errorf("%q, %s: %s, want %s", c.configured, c.module, got, c.want)
		}
	}
}

// TestConfineModule closes the sandbox in a child process.
func TestConfineModule(t *testing.T) {
	for _, network := range []config.Network{config.NetworkNone, config.NetworkUnix, config.NetworkAny} {
		t.Run(string(network), func(t *testing.T) { runChild(t, "module", string(network)) })
	}
}

// leftWithModule makes system calls from many threads, and starts a program.
func leftWithModule(network string) error {
	m := Module{Memory: 1 << 30, Enforce: true, Network: config.Network(network)}
	if err := m.Confine("/opt/vendor/lib/module.so"); err != nil {
		return err
	}
	var threads sync.WaitGroup
	problems := make([]error, 8)
	for i := range problems {
		threads.Go(func() { problems[i] = errors.Join(sockets(network), forbidden(), ownFiles(), parentsLimits()) })
	}
	threads.Wait()
	program := exec.Command("sh", "-c", "grep -q 'CapEff:.0000000000000000' /proc/self/status && [ $(ulimit -n) -le 4096 ]")
	return errors.Join(errors.Join(problems...), program.Run(), limited(), withoutTerminal())
}

func withoutTerminal() error {
	if terminal, err := os.Open("/dev/tty"); !errors.Is(err, unix.ENXIO) {
		terminal.Close()
		return fmt.Errorf("the terminal that the daemon was started from: %w", err)
	}
	if session, err := unix.Getsid(0); err != nil || session != os.Getpid() {
		return fmt.Errorf("session %d, %w; want its own, %d", session, err, os.Getpid())
	}
	return nil
}

// sockets compares the sockets that can be made with those that should be.
func sockets(network string) (problems error) {
	for _, family := range []struct {
		name   string
		number int
		allow  string
	}{{"AF_UNIX", unix.AF_UNIX, "unix any"}, {"AF_INET", unix.AF_INET, "any"}, {"AF_NETLINK", unix.AF_NETLINK, "any"}} {
		want := error(unix.EAFNOSUPPORT)
		if strings.Contains(family.allow, network) {
			want = nil
		}
		fd, err := unix.Socket(family.number, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil {
			unix.Close(fd)
		}
		if !errors.Is(err, want) {
			problems = errors.Join(problems, fmt.Errorf("%s: %v, want %v", family.name, err, want))
		}
	}
	return problems
}

// forbidden makes calls that must fail. Root without the filter could make
// some of them.
func forbidden() (problems error) {
	for name, err := range map[string]error{
		"unshare": unix.Unshare(unix.CLONE_NEWUTS), "ptrace": unix.PtraceAttach(os.Getppid()),
		"mount":       unix.Mount("none", "/proc", "tmpfs", 0, ""),
		"sethostname": unix.Sethostname([]byte("attacked")),
		"keyctl":      keyctl(),
		"namespace":   exec.Command("unshare", "--user", "true").Run(),
	} {
		if err == nil {
			problems = errors.Join(problems, fmt.Errorf("%s succeeded", name))
		}
	}
	return problems
}

func keyctl() error {
	_, err := unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, true)
	return err
}

func limited() error {
	var data unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_DATA, &data); err != nil || data.Max != 1<<30 {
		return fmt.Errorf("the limit on memory is %d: %v", data.Max, err)
	}
	return nil
}

func TestUserText(t *testing.T) {
	var u User
	if err := u.Set("65534:65533:7,8"); err != nil || u.String() != "65534:65533:7,8" || fmt.Sprint(u.IDs()) != "[65534]" {
		t.Errorf("%+v, %v", u, err)
	}
	if u := (User{}); u.String() != "" || u.IDs() != nil {
		t.Errorf("%q", u.String())
	}
	for _, bad := range []string{"", "0:0:", "5:0:", "0:5", "5", "x:5", "-1:5", "4294967296:5"} {
		if err := u.Set(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestLookUpUser(t *testing.T) {
	u, err := LookUpUser("nobody")
	switch {
	case os.Geteuid() != 0:
		if !errors.Is(err, ErrNotRoot) {
			t.Errorf("%v", err)
		}
	case err != nil || u.UID != 65534:
		t.Errorf("%+v, %v", u, err)
	default:
		if _, err := LookUpUser("no-such-user"); err == nil || !strings.Contains(err.Error(), "useradd") {
			t.Errorf("%v", err)
		}
		if _, err := LookUpUser("root"); err == nil {
			t.Error("root is another user")
		}
	}
}

func TestStatusSaysWhatIsInForce(t *testing.T) {
	c, _ := parse(t, "uid: 1000")
	s := Status(c)
	if s.Files != ipc.SandboxFront && Supported() > 0 || s.SystemCalls != FiltersCalls() || s.Network["token"] != "any" || s.WorkerMemory != 1<<30 {
		t.Errorf("%+v", s)
	}
	if root := strings.Contains(fmt.Sprint(s.Warnings), "runs as root"); root != (os.Geteuid() == 0) {
		t.Errorf("%q", s.Warnings)
	}
	c.Sandbox.Enforce = false
	s = Status(c)
	if s.Files != ipc.SandboxNothing || s.SystemCalls || s.Signals || len(s.Warnings) == 0 || !strings.Contains(s.Warnings[0], "disabled") {
		t.Errorf("%+v", s)
	}
	c, _ = parse(t, "executable: /usr/bin/x")
	if s := Status(c); s.Files != ipc.SandboxWorkers && Supported() > 0 {
		t.Errorf("%+v", s)
	}
}
