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

func mustListen(t *testing.T, l Listener) *BoundListener {
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
		l := Listener{Socket: filepath.Join(dir, "s"), Mode: mode}
		if os.Geteuid() == 0 {
			l.Owner, l.Group = "1234", "daemon"
		}
		b := mustListen(t, l)
		info, err := os.Lstat(l.Socket)
		if err != nil {
			t.Fatal(err)
		}
		if mode == 0 {
			mode = DefaultSocketMode
		}
		st := info.Sys().(*syscall.Stat_t)
		if info.Mode().Perm() != mode || (l.Owner != "" && (st.Uid != 1234 || st.Gid != 1)) {
			t.Errorf("want %v, got %v of %d:%d", mode, info.Mode(), st.Uid, st.Gid)
		}
		if !dials(l.Socket) {
			t.Error("nobody listens")
		}
		if err := errors.Join(b.Close(), b.Close()); err != nil {
			t.Error(err)
		}
		if left := names(t, dir); left != "" {
			t.Errorf("left behind: %s", left)
		}
	}
}

// TestBindIsClosed shows the moment between bind and chmod: nobody else may
// connect, whatever the umask, and nobody is listened to.
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

func TestListenTakesOverAStaleSocketOnly(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	dead, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	dead.SetUnlinkOnClose(false)
	if _, err := Listen(Listener{Socket: path}); !errors.Is(err, ErrSocketInUse) {
		t.Fatalf("a living one: %v", err)
	}
	if !dials(path) {
		t.Fatal("the living one was harmed")
	}
	dead.Close()
	first := mustListen(t, Listener{Socket: path})
	if _, err := Listen(Listener{Socket: path}); !errors.Is(err, ErrSocketInUse) {
		t.Fatalf("a second daemon: %v", err)
	}
	if !dials(path) || first.Close() != nil {
		t.Fatal("the first was harmed")
	}
}

// TestListenSparesABusyDaemon fills a backlog, so that connect(2) would block.
func TestListenSparesABusyDaemon(t *testing.T) {
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
	if _, err := Listen(Listener{Socket: path}); !errors.Is(err, ErrSocketInUse) {
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
		l    Listener
		want string
	}{
		"empty":           {Listener{}, "empty"},
		"abstract":        {Listener{Socket: "@assertd"}, "abstract"},
		"abstract NUL":    {Listener{Socket: "\x00assertd"}, "abstract"},
		"NUL":             {Listener{Socket: path("a\x00b")}, "NUL"},
		"too long":        {Listener{Socket: "/" + strings.Repeat("x", 107)}, "108 bytes"},
		"directory":       {Listener{Socket: path("dir")}, "no socket"},
		"directory slash": {Listener{Socket: dir + "/"}, "directory"},
		"file":            {Listener{Socket: path("file")}, "no socket"},
		"link":            {Listener{Socket: path("link")}, "no socket"},
		"datagrams":       {Listener{Socket: path("packets")}, "answers"},
		"no parent":       {Listener{Socket: path("none/s")}, "does not exist"},
		"parent a file":   {Listener{Socket: path("file/s")}, "not a directory"},
		"open parent":     {Listener{Socket: path("open/s")}, "chmod o-w"},
		"mode":            {Listener{Socket: path("s"), Mode: fs.ModeSetuid | 0o600}, "permission bits"},
		"user":            {Listener{Socket: path("s"), Owner: "no-such-user"}, "no-such-user"},
		"group":           {Listener{Socket: path("s"), Group: "no-such-group"}, "no-such-group"},
		"foreign lock":    {Listener{Socket: path("foreign")}, "mode 0600"},
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
		if _, err := Listen(Listener{Socket: path("closed/s")}); !errors.Is(err, ErrSocketPath) {
			t.Errorf("got %v", err)
		}
	}
}

func TestStickyParentIsAllowed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	mustListen(t, Listener{Socket: filepath.Join(dir, "s")})
}

// TestCloseLeavesASuccessorAlone replaces the socket behind the daemon's back.
func TestCloseLeavesASuccessorAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := mustListen(t, Listener{Socket: path})
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
		won := make([]*BoundListener, 8)
		for i := range won {
			ready.Go(func() {
				start.Wait()
				b, err := Listen(Listener{Socket: path})
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
