package peer

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// stranger is a user that may write to the directory of a socket.
const stranger = 54321

// childSwap replaces the file at PATH, as soon as there is one, by a symbolic
// link to TARGET, over and over.
func childSwap(args []string) error {
	path, target := args[0], args[1]
	link := path + ".link"
	fmt.Println("swapping")
	for {
		_ = os.Symlink(target, link)
		if _, err := os.Lstat(path); err == nil {
			_ = os.Rename(link, path)
		}
		_ = os.Remove(path)
	}
}

// TestFilesAndDirectoriesSwappedSocket has a user with write access to the
// socket's directory swap a link in between bind and chmod. The file at its end
// must keep its mode and owner, no matter who wins.
func TestFilesAndDirectoriesSwappedSocket(t *testing.T) {
	dir := peertest.Dir(t)
	secret := filepath.Join(peertest.Dir(t), "secret")
	if err := errors.Join(os.WriteFile(secret, nil, 0o600), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "s")
	attacker := peertest.Command(t, peertest.Program(t, "swap"), "swap", socket, secret)
	if os.Geteuid() == 0 { // otherwise the attacker is this user, who may swap too
		attacker.SysProcAttr = peertest.As(stranger, stranger)
	}
	out, err := attacker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := attacker.Start(); err != nil {
		t.Fatal(err)
	}
	defer attacker.Wait()
	defer attacker.Process.Kill()
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	s := Socket{Path: socket, Mode: 0o666, Trust: trustpath.Rules{Accept: []string{dir}}}
	if os.Geteuid() == 0 {
		s.Owner = new(uint32(stranger))
	}
	refused := 0
	for end, n := time.Now().Add(3*time.Second), 0; time.Now().Before(end) || n < 200; n++ {
		if l, err := Listen(s); err == nil {
			l.Close()
		} else {
			refused++
		}
		if st := statOf(t, secret); st.Mode != unix.S_IFREG|0o600 || int(st.Uid) != os.Geteuid() {
			t.Fatalf("after %d attempts, the file behind the link has mode %o and uid %d", n, st.Mode, st.Uid)
		}
	}
	if refused == 0 {
		t.Error("the attacker was never in time, so nothing was tested")
	}
}

func statOf(t *testing.T, path string) (st unix.Stat_t) {
	t.Helper()
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// TestFilesAndDirectoriesSocketDirectory refuses a directory that others may
// write or own. One with the sticky bit is allowed.
func TestFilesAndDirectoriesSocketDirectory(t *testing.T) {
	for name, test := range map[string]struct {
		mode  os.FileMode
		owner int
		want  string // in the error; "" if allowed
	}{
		"private":             {0o700, 0, ""},
		"sticky":              {0o777 | os.ModeSticky, 0, ""},
		"for the group":       {0o775, 0, "chmod go-w "},
		"for everyone":        {0o757, 0, "chmod go-w "},
		"of another user":     {0o755, stranger, "chown root "},
		"sticky of that user": {0o777 | os.ModeSticky, stranger, "chown root "},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run")
			if test.owner != 0 && os.Geteuid() != 0 {
				return // only root can make such a directory
			}
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(dir, test.mode), os.Chown(dir, test.owner, -1)); err != nil && os.Geteuid() == 0 {
				t.Fatal(err)
			}
			// The directory counts wherever it is on the way.
			inner := filepath.Join(dir, "inner")
			if err := os.MkdirAll(inner, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, path := range []string{filepath.Join(dir, "s"), filepath.Join(inner, "s")} {
				l, err := Listen(Socket{Path: path})
				if err == nil {
					l.Close()
				}
				if allowed := err == nil; allowed != (test.want == "") || !allowed && !strings.Contains(err.Error(), test.want+dir) {
					t.Errorf("%s: %v", path, err)
				}
			}
		})
	}
}
