package peer

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func mustListen(t *testing.T, l Socket) *Listener {
	t.Helper()
	b, err := Listen(l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func dials(path string) bool {
	c, err := net.Dial("unix", path)
	if err == nil {
		c.Close()
	}
	return err == nil
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestListenSetsModeAndOwner(t *testing.T) {
	old := syscall.Umask(0o022)
	defer syscall.Umask(old)
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666} {
		dir := t.TempDir()
		l := Socket{Path: filepath.Join(dir, "s"), Mode: mode}
		if os.Geteuid() == 0 {
			l.Owner, l.Group = new(uint32(1234)), new(uint32(1))
		}
		b := mustListen(t, l)
		info, err := os.Lstat(l.Path)
		if err != nil {
			t.Fatal(err)
		}
		if mode == 0 {
			mode = DefaultSocketMode
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != mode || (l.Owner != nil && (st.Uid != 1234 || st.Gid != 1)) {
			t.Errorf("want %v, got %v of %d:%d", mode, info.Mode(), st.Uid, st.Gid)
		}
		if !dials(l.Path) {
			t.Error("no process listens")
		}
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		if left := names(t, dir); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
}

// TestBindIsClosed looks between bind and chmod: nobody else may connect,
// whatever the umask, and connect(2) fails even for the daemon's user.
func TestBindIsClosed(t *testing.T) {
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := bind(fd, path); err != nil {
		t.Fatal(err)
	}
	info, err := os.Lstat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", err, info.Mode())
	}
	if _, err := net.Dial("unix", path); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect before listen: %v", err)
	}
}

func TestListenReplacesOnlyStaleSockets(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if _, err := Listen(Socket{Path: path}); !errors.Is(err, ErrSocketInUse) {
		t.Fatalf("while a process listens: %v", err)
	}
	if !dials(path) {
		t.Fatal("the other listener was harmed")
	}
	dead.Close()
	first := mustListen(t, Socket{Path: path})
	if _, err := Listen(Socket{Path: path}); !errors.Is(err, ErrSocketInUse) {
		t.Fatalf("a second daemon: %v", err)
	}
	if !dials(path) || first.Close() != nil {
		t.Fatal("the first was harmed")
	}
}

// TestFullBacklogIsInUse fills a backlog, so that connect(2) would block.
func TestFullBacklogIsInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrUnix{Name: path}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	if !dials(path) {
		t.Fatal("no room for one")
	}
	if _, err := Listen(Socket{Path: path}); !errors.Is(err, ErrSocketInUse) {
		t.Fatal(err)
	}
}

func TestListenRefuses(t *testing.T) {
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.WriteFile(path("file"), nil, 0o600),
		os.Symlink("file", path("link")),
		os.Mkdir(path("dir"), 0o755),
		os.Mkdir(path("open"), 0o755), os.Chmod(path("open"), 0o777),
		os.Mkdir(path("closed"), 0o555),
		os.WriteFile(path("foreign.lock"), nil, 0o644),
	); err != nil {
		t.Fatal(err)
	}
	packets, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path("packets"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer packets.Close()
	for name, c := range map[string]struct {
		l    Socket
		want string
	}{
		"empty":           {Socket{}, "empty"},
		"abstract":        {Socket{Path: "@assertd"}, "abstract"},
		"abstract NUL":    {Socket{Path: "\x00assertd"}, "abstract"},
		"NUL":             {Socket{Path: path("a\x00b")}, "NUL"},
		"too long":        {Socket{Path: "/" + strings.Repeat("x", 107)}, "108 bytes"},
		"directory":       {Socket{Path: path("dir")}, "not a socket"},
		"directory slash": {Socket{Path: dir + "/"}, "directory"},
		"file":            {Socket{Path: path("file")}, "not a socket"},
		"link":            {Socket{Path: path("link")}, "not a socket"},
		"datagrams":       {Socket{Path: path("packets")}, "listening"},
		"no parent":       {Socket{Path: path("none/s")}, "does not exist"},
		"parent a file":   {Socket{Path: path("file/s")}, "not a directory"},
		"open parent":     {Socket{Path: path("open/s")}, "chmod go-w"},
		"mode":            {Socket{Path: path("s"), Mode: fs.ModeSetuid | 0o600}, "not permissions"},
		"foreign lock":    {Socket{Path: path("foreign")}, "mode 0600"},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Listen(c.l)
			if err == nil {
				b.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if os.Geteuid() != 0 { // root may write anywhere
		if _, err := Listen(Socket{Path: path("closed/s")}); !errors.Is(err, ErrSocketPath) {
			t.Errorf("got %v", err)
		}
	}
}

func TestStickyParentIsAllowed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	mustListen(t, Socket{Path: filepath.Join(dir, "s")})
}

// TestCloseKeepsASuccessor replaces the socket while the daemon has it open.
func TestCloseKeepsASuccessor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := mustListen(t, Socket{Path: path})
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	successor, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer successor.Close()
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if !dials(path) {
		t.Error("the successor's socket was removed")
	}
}

// TestRace starts many daemons at once on a stale socket: exactly one gets it.
func TestRace(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	for range 20 {
		dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		dead.SetUnlinkOnClose(false)
		dead.Close()
		var start, ready sync.WaitGroup
		start.Add(1)
		won := make([]*Listener, 8)
		for i := range won {
			ready.Go(func() {
				start.Wait()
				b, err := Listen(Socket{Path: path})
				if err != nil && !errors.Is(err, ErrSocketInUse) {
					t.Error(err)
				}
				won[i] = b
			})
		}
		start.Done()
		ready.Wait()
		winners := 0
		for _, b := range won {
			if b != nil {
				winners++
				if !dials(path) {
					t.Error("the winner's socket does not answer")
				}
				b.Close()
			}
		}
		if winners != 1 {
			t.Fatalf("%d daemons listen", winners)
		}
	}
}
