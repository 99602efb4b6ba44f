package peer

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestMain lets the test binary run as the other process.
func TestMain(m *testing.M) {
	peertest.Main(m, map[string]peertest.Role{
		"connect":   childConnect,   // SOCKET: connect, say so, wait for input
		"pid-reuse": childPidReuse,  // see pidreuse_test.go
		"activated": childActivated, // see systemd_test.go
		"swap":      childSwap,      // PATH TARGET: see swap_test.go
	})
}

func childConnect(args []string) error {
	if _, err := net.Dial("unix", args[0]); err != nil {
		return err
	}
	fmt.Println("connected")
	_, err := os.Stdin.Read(make([]byte, 1))
	return err
}

func everything() caller.Attributes {
	return caller.Attributes{Executable: true, Hash: true, Cgroup: true}
}

func fileHash(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestReplacedProgram: after a program's file was deleted or replaced, another
// program may have its path, but its hash is still known.
func TestReplacedProgram(t *testing.T) {
	for name, replace := range map[string]func(prog, other string) error{
		"deleted":  func(prog, _ string) error { return os.Remove(prog) },
		"replaced": func(prog, other string) error { return os.Rename(other, prog) },
		"posing": func(prog, other string) error {
			return errors.Join(os.Remove(prog), os.Rename(other, prog+" (deleted)"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustListen(t, Socket{Path: filepath.Join(peertest.Dir(t), "s"), Mode: 0o666})
			prog := peertest.Program(t, "updated")
			hash := fileHash(t, prog)
			connected(t, prog, l.Path())
			c := accepted(t, l)
			if who, err := identifyNow(t, c); err != nil || who.Executable != prog || who.ExecutableSHA256 != hash {
				t.Fatalf("before: %v %+v", err, who)
			}
			if err := replace(prog, peertest.Program(t, "other")); err != nil {
				t.Fatal(err)
			}
			who, err := identifyNow(t, c)
			if !errors.Is(err, ErrUnidentified) || !strings.Contains(err.Error(), "deleted or replaced") || who.Executable != "" {
				t.Errorf("after: %v %q", err, who.Executable)
			}
			if who.ExecutableSHA256 != hash {
				t.Errorf("hash %q", who.ExecutableSHA256)
			}
		})
	}
}

// TestErrorsAffectAttributes decides whether the policy needs what is missing.
func TestErrorsAffectAttributes(t *testing.T) {
	about := func(attribute string) error { return &UnidentifiedError{Attribute: attribute, Err: errPeerExited} }
	both := errors.Join(about(attrExecutable), about(attrCgroup))
	for _, c := range []struct {
		err  error
		of   caller.Attributes
		want bool
	}{
		{nil, everything(), false},
		{about(attrProcess), caller.Attributes{}, false},
		{about(attrProcess), caller.Attributes{Hash: true}, true},
		{about(attrCgroup), caller.Attributes{Executable: true, Hash: true}, false},
		{about(attrCgroup), caller.Attributes{Cgroup: true}, true},
		{both, caller.Attributes{Hash: true}, true},
		{both, caller.Attributes{}, false},
	} {
		if affects(c.err, c.of) != c.want {
			t.Errorf("%v, %+v: want %v", c.err, c.of, c.want)
		}
	}
}

// TestCgroupIsReal compares with the cgroup of the test itself.
func TestCgroupIsReal(t *testing.T) {
	l := mustListen(t, Socket{Path: filepath.Join(t.TempDir(), "s")})
	c, err := net.Dial("unix", l.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	unit, container, err := readCgroup("/proc/self/cgroup")
	if err != nil {
		unit, container = "", ""
	}
	if got, _ := identifyNow(t, accepted(t, l)); got.Unit != unit || got.Container != container {
		t.Errorf("%q %q, want %q %q", got.Unit, got.Container, unit, container)
	}
}

// connected starts a child, waits until it has connected, and kills it when the
// test ends.
func connected(t *testing.T, prog, socket string) *exec.Cmd {
	t.Helper()
	cmd := peertest.Command(t, prog, "connect", socket)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "connected\n" {
		t.Fatalf("%v %q", err, line)
	}
	return cmd
}

// accepted returns the listener's end of the next connection.
func accepted(t *testing.T, l *Listener) *net.UnixConn {
	t.Helper()
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func identifyNow(t *testing.T, c *net.UnixConn) (caller.Caller, error) {
	t.Helper()
	who, err := identify(c)
	if err != nil && !errors.Is(err, ErrUnidentified) {
		t.Fatal(err)
	}
	return who, err
}

// TestShortageKeepsWhatIsKnown: a daemon out of file descriptors doesn't forget
// what it already knows about a caller.
func TestShortageKeepsWhatIsKnown(t *testing.T) {
	l := mustListen(t, Socket{Path: filepath.Join(peertest.Dir(t), "s"), Mode: 0o666})
	prog := peertest.Program(t, "known")
	connected(t, prog, l.Path())
	c, err := NewIdentifier(IDMap{}, nil, time.Now).Conn(l, accepted(t, l))
	if err != nil {
		t.Fatal(err)
	}
	executable := caller.Attributes{Executable: true}
	before, err := c.Identify(executable, caller.Attributes{})
	if err != nil || before.Executable != prog {
		t.Fatalf("%+v: %v", before, err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Setrlimit(unix.RLIMIT_NOFILE, &limit) })
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 3, Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	if who, err := c.Identify(executable, everything()); err != nil || who.Executable != prog {
		t.Errorf("%+v: %v", who, err)
	}
	if _, err := c.Identify(everything(), everything()); !isTransient(err) {
		t.Errorf("got %v", err)
	}
}

// TestDeadProcessIsUnidentified: of a process that died before it was
// identified only the IDs are known, since the socket holds them.
func TestDeadProcessIsUnidentified(t *testing.T) {
	for name, reap := range map[string]bool{"zombie": false, "reaped": true} {
		t.Run(name, func(t *testing.T) {
			l := mustListen(t, Socket{Path: filepath.Join(peertest.Dir(t), "s"), Mode: 0o666})
			cmd := connected(t, peertest.Program(t, "mortal"), l.Path())
			c := accepted(t, l)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if reap {
				cmd.Wait()
			} else if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
				t.Fatal(err)
			}
			who, err := identifyNow(t, c)
			var detail *UnidentifiedError
			if !errors.Is(err, ErrUnidentified) || !errors.As(err, &detail) || !errors.Is(err, errPeerExited) {
				t.Errorf("got %v", err)
			}
			if who.Executable+who.ExecutableSHA256+who.Unit+who.Container != "" || int(who.UID) != os.Getuid() || int(who.PID) != cmd.Process.Pid {
				t.Errorf("%+v", who)
			}
		})
	}
}
