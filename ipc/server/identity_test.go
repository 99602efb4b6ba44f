package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

func callerOf(t *testing.T, r reply) ipc.CallerInfo {
	t.Helper()
	var g ipc.GrantsResponse
	if err := json.Unmarshal(r.body, &g); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%v %d %s", err, r.StatusCode, r.body)
	}
	return g.Caller
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

// TestCallerIsWhoTheKernelSays calls from processes of several users and
// groups.
func TestCallerIsWhoTheKernelSays(t *testing.T) {
	r := serve(t, &fakeService{}, Options{Needed: everything})
	prog := peertest.Program(t, "caller")
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
		cmd := peertest.Command(t, prog, "ask", r.socket)
		if os.Geteuid() == 0 && want.groups != nil {
			cmd.SysProcAttr = peertest.As(want.uid, want.gid, want.groups...)
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

// TestOnlyNeededAttributesAreRead also shows that a reload that needs more
// takes effect on open connections.
func TestOnlyNeededAttributesAreRead(t *testing.T) {
	var want atomic.Pointer[caller.Attributes]
	want.Store(&caller.Attributes{})
	r := serve(t, &fakeService{}, Options{Needed: func() caller.Attributes { return *want.Load() }})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want      caller.Attributes
		exe, hash bool
	}{
		{caller.Attributes{}, false, false},
		{caller.Attributes{Executable: true}, true, false},
		{caller.Attributes{}, true, false}, // known attributes stay
		{caller.Attributes{Hash: true}, true, true},
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

// TestRecordedAttributes are looked up even if the policy doesn't need them.
func TestRecordedAttributes(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r := serve(t, &fakeService{}, Options{Recorded: caller.Attributes{Executable: true}})
	if got := callerOf(t, r.do("GET", "/v1/grants", "")); got.Executable != self {
		t.Errorf("%+v", got)
	}
}

// TestDescriptorHandedToAChild: the kernel names the process that connected,
// even when another one holds the descriptor.
func TestDescriptorHandedToAChild(t *testing.T) {
	r := serve(t, &fakeService{}, Options{Needed: everything})
	c := r.dial()
	defer c.Close()
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	cmd := peertest.Command(t, peertest.Program(t, "heir"), "inherited")
	cmd.ExtraFiles = []*os.File{f}
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = peertest.As(1001, 2001)
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

// TestImpostorInAMountNamespace: anyone with a mount namespace can give any
// program any path in it. It runs only as root, who may make one on any
// machine.
func TestImpostorInAMountNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	r := serve(t, &fakeService{}, Options{Needed: everything})
	trusted, evil := peertest.Program(t, "trusted"), peertest.Program(t, "evil")
	if err := os.Truncate(evil, int64(len(must(os.ReadFile(evil)))+1)); err != nil {
		t.Fatal(err)
	}
	cmd := peertest.Command(t, evil, "impostor", trusted, evil, r.socket)
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	got := callerOf(t, output(t, cmd))
	if got.Executable != "" || got.ExecutableSHA256 != fileHash(t, evil) {
		t.Errorf("%+v", got)
	}
	if !strings.Contains(r.log.text(), trusted+`" is a different file for the daemon`) {
		t.Errorf("log: %s", r.log.text())
	}
}

// childImpostor mounts EVIL over TRUSTED in its own mount namespace, and
// executes it.
func childImpostor(args []string) error {
	trusted, evil, socket := args[0], args[1], args[2]
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	if err := unix.Mount(evil, trusted, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return syscall.Exec(trusted, []string{trusted, socket}, peertest.Environment("ask"))
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestUnidentifiedCallerIsServedWithoutAttributes: the descriptor outlives the
// process that connected.
func TestUnidentifiedCallerIsServedWithoutAttributes(t *testing.T) {
	var want atomic.Pointer[caller.Attributes]
	want.Store(&caller.Attributes{})
	r := serve(t, &fakeService{}, Options{Needed: func() caller.Attributes { return *want.Load() }})
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	ours := os.NewFile(uintptr(pair[0]), "ours")
	theirs := os.NewFile(uintptr(pair[1]), "theirs")
	defer ours.Close()
	cmd := peertest.Command(t, peertest.Program(t, "giver"), "give", r.socket)
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
	if !strings.Contains(r.log.text(), "has exited") {
		t.Errorf("the log does not say why: %s", r.log.text())
	}
}

// receive receives a connection that another process sent over a socket pair.
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

// childGive connects, sends the connection over descriptor 3, and exits.
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

func TestUnmappedCallerIsRefused(t *testing.T) {
	server := New(&fakeService{}, Options{})
	server.identifier = peer.NewIdentifier(peer.IDMap{PartialUIDs: true, OverflowUID: uint32(os.Getuid())}, nil, time.Now)
	start(t, server).do("POST", "/v1/assertions", "{}").problem(t, ipc.CodeUnknownCaller)
}
