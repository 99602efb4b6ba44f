package peer

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"
)

// firstActivatedFD is SD_LISTEN_FDS_START of sd_listen_fds(3).
const firstActivatedFD = 3

// Activated holds the sockets that systemd passed to the process, by path.
type Activated map[string]*os.File

// FromSystemd takes over the sockets of systemd's socket activation,
// sd_listen_fds(3). Without activation it returns an empty set. It clears the
// variables, so that no child takes the sockets for its own; call it once.
func FromSystemd() (Activated, error) {
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"} {
		os.Unsetenv(name)
	}
	if pid != strconv.Itoa(os.Getpid()) {
		return Activated{}, nil
	}
	n, err := strconv.Atoi(count)
	if err != nil || n < 0 || n > 1024 {
		return nil, fmt.Errorf("socket activation: LISTEN_FDS is %q, want a number", count)
	}
	return activated(firstActivatedFD, n)
}

func activated(first, n int) (Activated, error) {
	set := Activated{}
	for fd := first; fd < first+n; fd++ {
		unix.CloseOnExec(fd)
		path, err := listeningPath(fd)
		if err == nil && set[path] != nil {
			err = fmt.Errorf("%s was passed twice", path)
		}
		if err != nil {
			set.Close()
			return nil, fmt.Errorf("socket activation: descriptor %d: %w", fd, err)
		}
		set[path] = os.NewFile(uintptr(fd), path)
	}
	return set, nil
}

// listeningPath returns the path of a listening Unix stream socket, and an error
// for anything else.
func listeningPath(fd int) (string, error) {
	kind, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return "", os.NewSyscallError("getsockopt SO_TYPE", err)
	}
	listening, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ACCEPTCONN)
	if err != nil {
		return "", os.NewSyscallError("getsockopt SO_ACCEPTCONN", err)
	}
	addr, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	local, ok := addr.(*unix.SockaddrUnix)
	switch {
	case !ok || kind != unix.SOCK_STREAM || listening == 0:
		return "", errors.New("not a listening Unix stream socket; use ListenStream= with a path and Accept=no")
	case local.Name == "" || local.Name[0] == '@' || local.Name[0] == 0:
		return "", errors.New("an abstract or unnamed socket; use ListenStream= with a path")
	}
	return local.Name, nil
}

// Listen hands out the activated socket of l's path, or makes one as [Listen]
// does. An activated socket is systemd's: it keeps its mode and owner and is not
// removed at close, but one that more may open than l says is refused.
func (a Activated) Listen(l Listener) (*BoundListener, error) {
	f := a[l.Socket]
	if f == nil {
		return Listen(l)
	}
	if err := checkActivated(l); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", l.Socket, err)
	}
	ul, err := fileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", l.Socket, err)
	}
	delete(a, l.Socket)
	return &BoundListener{UnixListener: ul, spec: l}, f.Close()
}

func checkActivated(l Listener) error {
	want, err := l.ownership()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(l.Socket, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	mode := os.FileMode(st.Mode) & os.ModePerm
	switch {
	case mode&^want.mode != 0:
		return fmt.Errorf("systemd made it with mode %04o, the configuration says %04o; set SocketMode=%04o", mode, want.mode, want.mode)
	case want.uid >= 0 && int(st.Uid) != want.uid:
		return fmt.Errorf("systemd made it for uid %d, the configuration says %s; set SocketUser=%s", st.Uid, l.Owner, l.Owner)
	case want.gid >= 0 && int(st.Gid) != want.gid:
		return fmt.Errorf("systemd made it for gid %d, the configuration says %s; set SocketGroup=%s", st.Gid, l.Group, l.Group)
	}
	return nil
}

// Unused returns the paths that were passed and not asked for, sorted: most likely
// a configuration and a socket unit that disagree.
func (a Activated) Unused() []string {
	paths := make([]string, 0, len(a))
	for path := range a {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Close closes the sockets that were not asked for.
func (a Activated) Close() error {
	var err error
	for path, f := range a {
		err = errors.Join(err, f.Close())
		delete(a, path)
	}
	return err
}
