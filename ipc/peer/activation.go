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

// FromSystemd takes over the sockets that systemd passed by socket activation,
// sd_listen_fds(3). Without activation it returns an empty set. It clears the
// environment variables so that no child claims the sockets. Call it once.
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
		return nil, fmt.Errorf("socket activation: LISTEN_FDS is %q, want a number from 0 to 1024", count)
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

// listeningPath returns the path of a listening Unix stream socket. Anything
// else is an error.
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

// Listen returns the activated socket at s.Path, or creates one like [Listen].
// An activated socket belongs to systemd: it keeps its mode and owner, and its
// file is not removed on close. It is refused if more users may open it than s
// allows.
func (a Activated) Listen(s Socket) (*Listener, error) {
	f := a[s.Path]
	if f == nil {
		return Listen(s)
	}
	if err := checkActivated(s); err != nil {
		return nil, fmt.Errorf("listen on %q: %w", s.Path, err)
	}
	ul, err := fileListener(f)
	if err != nil {
		return nil, fmt.Errorf("listen on %q: %w", s.Path, err)
	}
	delete(a, s.Path)
	return &Listener{UnixListener: ul, spec: s}, f.Close()
}

func checkActivated(s Socket) error {
	want, err := s.ownership()
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(s.Path, &st); err != nil {
		return os.NewSyscallError("lstat", err)
	}
	mode := os.FileMode(st.Mode) & os.ModePerm
	switch {
	case mode&^want.mode != 0:
		return fmt.Errorf("systemd created it with mode %04o, but the configuration says %04o; set SocketMode=%04o", mode, want.mode, want.mode)
	case want.uid >= 0 && int(st.Uid) != want.uid:
		return fmt.Errorf("systemd created it for UID %d, but the configuration says UID %d; set SocketUser=%d", st.Uid, want.uid, want.uid)
	case want.gid >= 0 && int(st.Gid) != want.gid:
		return fmt.Errorf("systemd created it for GID %d, but the configuration says GID %d; set SocketGroup=%d", st.Gid, want.gid, want.gid)
	}
	return nil
}

// Unused returns the sorted paths of the sockets that nobody has listened on.
// Most likely the configuration and the socket unit disagree.
func (a Activated) Unused() []string {
	paths := make([]string, 0, len(a))
	for path := range a {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths
}

// Close closes the unused sockets.
func (a Activated) Close() error {
	var err error
	for path, f := range a {
		err = errors.Join(err, f.Close())
		delete(a, path)
	}
	return err
}
