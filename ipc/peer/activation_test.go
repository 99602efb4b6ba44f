package peer

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/peer/peertest"
)

// childActivated listens on the sockets that were passed to it: SOCKET MODE.
func childActivated(args []string) error {
	os.Setenv("LISTEN_PID", strconv.Itoa(os.Getpid())) // as systemd does between fork and exec
	set, err := FromSystemd()
	if err != nil {
		return err
	}
	if os.Getenv("LISTEN_FDS")+os.Getenv("LISTEN_PID") != "" {
		return fmt.Errorf("the variables are still there")
	}
	mode, err := strconv.ParseUint(args[1], 8, 32)
	if err != nil {
		return err
	}
	b, err := set.Listen(Socket{Path: args[0], Mode: os.FileMode(mode), Client: "c"})
	if err != nil {
		return err
	}
	fmt.Println("unused", set.Unused(), b.Path(), b.Client())
	c, err := b.Accept()
	if err != nil {
		return err
	}
	c.Close()
	if err := b.Close(); err != nil {
		return err
	}
	_, err = os.Lstat(args[0])
	return err
}

func activate(t *testing.T, mode string, files ...*os.File) *exec.Cmd {
	t.Helper()
	cmd := peertest.Command(t, "/proc/self/exe", "activated", files[0].Name(), mode)
	cmd.Env = append(cmd.Env, "LISTEN_FDS="+strconv.Itoa(len(files)), "LISTEN_FDNAMES=a:b")
	cmd.ExtraFiles = files
	return cmd
}

func listeningFile(t *testing.T, path string) *os.File {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	defer l.Close()
	f, err := l.File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	named := os.NewFile(uintptr(fd), path)
	t.Cleanup(func() { named.Close() })
	return named
}

func TestSocketActivation(t *testing.T) {
	dir := t.TempDir()
	a, b := listeningFile(t, filepath.Join(dir, "a")), listeningFile(t, filepath.Join(dir, "b"))
	if err := os.Chmod(a.Name(), 0o660); err != nil {
		t.Fatal(err)
	}
	cmd := activate(t, "660", a, b)
	if !dials(a.Name()) {
		t.Fatal("systemd's socket does not listen")
	}
	out, err := cmd.Output()
	if want := fmt.Sprintf("unused [%s] %s c\n", b.Name(), a.Name()); err != nil || string(out) != want {
		t.Fatalf("%v: %s, want %s", err, out, want)
	}
	out, err = activate(t, "600", a).Output()
	if err == nil || !strings.Contains(string(out), "SocketMode=0600") {
		t.Errorf("a socket that is too open: %v %s", err, out)
	}
}

func TestSocketActivationRefuses(t *testing.T) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer tcp.Close()
	f, err := tcp.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	out, err := activate(t, "600", f).Output()
	if err == nil || !strings.Contains(string(out), "not a listening Unix stream socket") {
		t.Errorf("%v %s", err, out)
	}
}

func TestNoSocketActivation(t *testing.T) {
	t.Setenv("LISTEN_PID", "1")
	t.Setenv("LISTEN_FDS", "1")
	set, err := FromSystemd()
	if err != nil || len(set) != 0 {
		t.Fatalf("%v %v", set, err)
	}
	b, err := set.Listen(Socket{Path: filepath.Join(t.TempDir(), "s")})
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
}
