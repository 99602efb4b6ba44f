package ipc

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func callerOf(t *testing.T, r reply) CallerInfo {
	t.Helper()
	var g GrantsResponse
	if err := json.Unmarshal(r.body, &g); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %d %s", err, r.StatusCode, r.body)
	}
	return g.Caller
}

func everything() Attributes { return Attributes{Executable: true, Hash: true, Cgroup: true} }

func fileHash(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// TestCallerIsWhoTheKernelSays asks as processes of several users and groups.
func TestCallerIsWhoTheKernelSays(t *testing.T) {
	r := serve(t, &fakeService{}, Options{Wants: everything})
	prog := program(t, "caller")
	type ids struct {
		uid, gid uint32
		groups   []uint32
	}
	callers := []ids{{uint32(os.Getuid()), uint32(os.Getgid()), nil}}
	if os.Geteuid() == 0 {
		many := make([]uint32, 100) // more than the first buffer holds
		for i := range many {
			many[i] = uint32(5000 + i)
		}
		callers = append(callers, ids{1001, 2001, []uint32{3001, 3002}}, ids{1002, 2002, many}, ids{0, 2003, []uint32{0}}, ids{65534, 65534, []uint32{}})
	}
	for _, want := range callers {
		cmd := childCommand(t, prog, "ask", r.socket)
		if os.Geteuid() == 0 && want.groups != nil {
			cmd.SysProcAttr = as(want.uid, want.gid, want.groups...)
		}
		got := callerOf(t, output(t, cmd))
		if got.UID != want.uid || got.GID != want.gid || int(got.PID) != cmd.Process.Pid || got.Listener != r.socket {
			t.Errorf("%+v: %+v", want, got)
		}
		if want.groups != nil && !slices.Equal(got.Groups, want.groups) {
			t.Errorf("groups %v, want %v", got.Groups, want.groups)
		}
		if got.Executable != prog || got.ExecutableSHA256 != fileHash(t, prog) {
			t.Errorf("executable %s %s", got.Executable, got.ExecutableSHA256)
		}
	}
}

// TestNothingIsReadUnasked also shows that a reload which wants more takes effect
// on a connection that is open.
func TestNothingIsReadUnasked(t *testing.T) {
	var want atomic.Pointer[Attributes]
	want.Store(&Attributes{})
	r := serve(t, &fakeService{}, Options{Wants: func() Attributes { return *want.Load() }})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want      Attributes
		exe, hash bool
	}{
		{Attributes{}, false, false},
		{Attributes{Executable: true}, true, false},
		{Attributes{}, true, false}, // what is known stays
		{Attributes{Hash: true}, true, true},
	} {
		want.Store(&c.want)
		got := callerOf(t, r.do("GET", "/v1/grants", ""))
		if (got.Executable == self) != c.exe || (got.ExecutableSHA256 != "") != c.hash {
			t.Errorf("%+v: %+v", c.want, got)
		}
	}
	if n := r.server.Connections(); n != 1 {
		t.Errorf("%d connections", n)
	}
}

// TestNotesAreLookedUpBesides what the policy wants, and nobody is warned of those
// that can't be found.
func TestNotesAreLookedUpBesides(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, &fakeService{}, Options{Notes: Attributes{Executable: true}})
	if got := callerOf(t, r.do("GET", "/v1/grants", "")); got.Executable != self {
		t.Errorf("%+v", got)
	}

	about := func(attribute string) error { return &UnidentifiedError{Attribute: attribute, Err: errPeerGone} }
	both := errors.Join(about(attrExecutable), about(attrCgroup))
	for _, c := range []struct {
		err  error
		of   Attributes
		want bool
	}{
		{nil, everything(), false},
		{about(attrProcess), Attributes{}, false},
		{about(attrProcess), Attributes{Hash: true}, true},
		{about(attrCgroup), Attributes{Executable: true, Hash: true}, false},
		{about(attrCgroup), Attributes{Cgroup: true}, true},
		{both, Attributes{Hash: true}, true},
		{both, Attributes{}, false},
	} {
		if concerns(c.err, c.of) != c.want {
			t.Errorf("%v, %+v: want %v", c.err, c.of, c.want)
		}
	}
}

// TestCgroupIsReal compares with the test's own cgroup, which the child inherits.
func TestCgroupIsReal(t *testing.T) {
	r := serve(t, &fakeService{}, Options{Wants: everything})
	unit, container, err := readCgroup("/proc/self/cgroup")
	if err != nil {
		unit, container = "", ""
	}
	if got := callerOf(t, r.do("GET", "/v1/grants", "")); got.Unit != unit || got.Container != container {
		t.Errorf("%q %q, want %q %q", got.Unit, got.Container, unit, container)
	}
}

// TestDescriptorHandedToAChild: the kernel names the process that connected, and
// goes on doing so when another one holds the descriptor.
func TestDescriptorHandedToAChild(t *testing.T) {
	r := serve(t, &fakeService{}, Options{Wants: everything})
	c := r.dial()
	defer c.Close()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := childCommand(t, program(t, "heir"), "inherited")
	cmd.ExtraFiles = []*os.File{f}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = as(1001, 2001)
	}
	got := callerOf(t, output(t, cmd))
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if int(got.UID) != os.Getuid() || int(got.PID) != os.Getpid() || got.Executable != self {
		t.Errorf("%+v", got)
	}
}

// TestReplacedProgram: a program whose file was deleted or replaced after it
// started is not the program that has the name now; its bytes are what they are.
func TestReplacedProgram(t *testing.T) {
	for name, replace := range map[string]func(prog, other string) error{
		"deleted":  func(prog, _ string) error { return os.Remove(prog) },
		"replaced": func(prog, other string) error { return os.Rename(other, prog) },
		"posing": func(prog, other string) error {
			return errors.Join(os.Remove(prog), os.Rename(other, prog+" (deleted)"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := mustListen(t, Listener{Socket: filepath.Join(socketDir(t), "s"), Mode: 0o666})
			prog := program(t, "updated")
			hash := fileHash(t, prog)
			waiting(t, prog, l.Path())
			c := accepted(t, l)
			if peer, err := identifyNow(t, c); err != nil || peer.Executable != prog || peer.ExecutableSHA256 != hash {
				t.Fatalf("before: %v %+v", err, peer)
			}
			if err := replace(prog, program(t, "other")); err != nil {
				t.Fatal(err)
			}
			peer, err := identifyNow(t, c)
			if !errors.Is(err, ErrUnidentified) || !strings.Contains(err.Error(), "deleted or replaced") || peer.Executable != "" {
				t.Errorf("after: %v %q", err, peer.Executable)
			}
			if peer.ExecutableSHA256 != hash {
				t.Errorf("hash %q", peer.ExecutableSHA256)
			}
		})
	}
}

// TestImpostorInAMountNamespace: whoever has a mount namespace can give any
// program any name in it. As root alone, who may make one everywhere.
func TestImpostorInAMountNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	r := serve(t, &fakeService{}, Options{Wants: everything})
	trusted, evil := program(t, "trusted"), program(t, "evil")
	if err := os.Truncate(evil, int64(len(must(os.ReadFile(evil)))+1)); err != nil {
		t.Fatal(err)
	}
	cmd := childCommand(t, evil, "impostor", trusted, evil, r.socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	got := callerOf(t, output(t, cmd))
	if got.Executable != "" || got.ExecutableSHA256 != fileHash(t, evil) {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(r.log.text(), trusted+`" is another file for the daemon`) {
		t.Errorf("log: %s", r.log.text())
	}
}

// childImpostor lays EVIL over TRUSTED in its own mount namespace and becomes it.
func childImpostor(args []string) error {
	trusted, evil, socket := args[0], args[1], args[2]
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(evil, trusted, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	os.Setenv("IPC_TEST_CHILD", "ask")
	return syscall.Exec(trusted, []string{trusted, socket}, os.Environ())
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// waiting starts a child that has connected and asks once its input is written to.
func waiting(t *testing.T, prog, socket string) (*exec.Cmd, io.WriteCloser, *bufio.Reader) {
	t.Helper()
	cmd := childCommand(t, prog, "wait", socket)
	stdin, err := cmd.StdinPipe()
	if err != nil {
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
	out := bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); err != nil || line != "connected\n" {
		t.Fatalf("%v %q", err, line)
	}
	return cmd, stdin, out
}

// accepted returns the server's end of the next connection, without a server.
func accepted(t *testing.T, l *BoundListener) *net.UnixConn {
	t.Helper()
	c, err := l.AcceptUnix()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func identifyNow(t *testing.T, c *net.UnixConn) (Peer, error) {
	t.Helper()
	var peer Peer
	if err := readCredentials(c, &peer); err != nil {
		t.Fatal(err)
	}
	err := identifier{newHashCache(8, time.Now)}.identify(c, everything(), &peer)
	return peer, err
}

// TestDeadProcessIsUnidentified: who died before it was looked at has its ids,
// which the socket holds, and nothing else.
func TestDeadProcessIsUnidentified(t *testing.T) {
	for name, reap := range map[string]bool{"zombie": false, "reaped": true} {
		t.Run(name, func(t *testing.T) {
			l := mustListen(t, Listener{Socket: filepath.Join(socketDir(t), "s"), Mode: 0o666})
			cmd, _, _ := waiting(t, program(t, "mortal"), l.Path())
			c := accepted(t, l)
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			if reap {
				cmd.Wait()
			} else if err := unix.Waitid(unix.P_PID, cmd.Process.Pid, &unix.Siginfo{}, unix.WEXITED|unix.WNOWAIT, nil); err != nil {
				t.Fatal(err)
			}
			peer, err := identifyNow(t, c)
			var detail *UnidentifiedError
			if !errors.Is(err, ErrUnidentified) || !errors.As(err, &detail) || !errors.Is(err, errPeerGone) {
				t.Errorf("got %v", err)
			}
			if peer.Executable+peer.ExecutableSHA256+peer.Unit+peer.Container != "" || int(peer.UID) != os.Getuid() || int(peer.PID) != cmd.Process.Pid {
				t.Errorf("%+v", peer)
			}
		})
	}
}

// TestUnidentifiedCallerIsServedWithoutAttributes goes the same way through the
// server: the descriptor outlives the process that connected.
func TestUnidentifiedCallerIsServedWithoutAttributes(t *testing.T) {
	var want atomic.Pointer[Attributes]
	want.Store(&Attributes{})
	r := serve(t, &fakeService{}, Options{Wants: func() Attributes { return *want.Load() }})
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours := os.NewFile(uintptr(pair[0]), "ours")
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := childCommand(t, program(t, "giver"), "give", r.socket)
	cmd.ExtraFiles = []*os.File{theirs}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	theirs.Close()
	c := receive(t, ours)
	all := everything()
	want.Store(&all)
	io.WriteString(c, whoAmI)
	got := callerOf(t, readReply(t, c))
	if int(got.PID) != cmd.Process.Pid || got.Executable != "" || got.ExecutableSHA256 != "" || got.Unit != "" {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(r.log.text(), "has ended") {
		t.Errorf("the log does not say why: %s", r.log.text())
	}
}

// receive takes a connection that a process sent over a socket pair.
func receive(t *testing.T, from *os.File) net.Conn {
	t.Helper()
	buf, oob := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(int(from.Fd()), buf, oob, unix.MSG_CMSG_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := unix.ParseSocketControlMessage(oob[:n])
	if err != nil || len(messages) != 1 {
		t.Fatal(err, messages)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "received")
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// childGive connects, sends the connection through descriptor 3, and ends.
func childGive(args []string) error {
	c, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	f, err := c.(*net.UnixConn).File()
	if err != nil {
		return err
	}
	return unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(f.Fd())), nil, 0)
}
