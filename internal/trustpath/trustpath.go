// Package trustpath opens the files that a process trusts. It follows a path
// from the root directory on descriptors, one name at a time, and judges each
// directory, each symbolic link and the file itself: all of them must belong to
// root or the process's user, and no one else may be able to write to them. A
// directory with the sticky bit, such as /tmp, is fine on the way: others can
// create files there, but they can't replace one of ours.
package trustpath

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"golang.org/x/sys/unix"
)

var (
	// ErrUntrusted is the kind of every [Problem].
	ErrUntrusted = errors.New("untrusted path")
	// ErrNotRegular means that a path leads to a directory, a named pipe, a
	// device or a socket where a regular file belongs. No rule accepts that:
	// reading one can wait forever.
	ErrNotRegular = errors.New("not a regular file")
)

// Kind is what a path is for.
type Kind int

const (
	// File is a regular file that others can't change.
	File Kind = iota
	// Secret is a File that others can't read. If it belongs to root and the
	// process runs as another user, the process's groups can read it, as with
	// the secrets of Kubernetes.
	Secret
	// Written is a File that the process itself writes. It may be missing. A
	// symbolic link in its place is not followed.
	Written
	// Directory holds files of the process.
	Directory
	// Private is a Directory in which others can't create files, even with the
	// sticky bit.
	Private
)

// Rules relax what is required of paths. The zero value relaxes nothing.
type Rules struct {
	// Accept lists the files and directories whose owner and mode don't matter:
	// absolute paths without symbolic links, with the patterns of
	// [filepath.Match].
	Accept []string
	// User is the user that will use the paths; 0 for the process's own.
	User uint32
	// Owners are other users that are trusted like root and the user.
	Owners []uint32
}

// Open opens a regular file for reading. It refuses a file of which others
// control the content, or the path, with a [Problem] for each reason.
func (r Rules) Open(path string, kind Kind) (*os.File, error) {
	w, err := r.follow(path, kind)
	if err != nil {
		return nil, err
	}
	defer w.close()
	return w.open()
}

// Read reads at most limit bytes of a file that [Rules.Open] accepts. A larger
// file is an error.
func (r Rules) Read(path string, kind Kind, limit int64) ([]byte, error) {
	f, err := r.Open(path, kind)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("%s is larger than %d bytes, the maximum for it", path, limit)
	}
	return content, err
}

// OpenDirectory returns a descriptor that stays with a directory, whatever
// happens to its path. It is only good for system calls that take a path
// relative to it (O_PATH).
func (r Rules) OpenDirectory(path string, kind Kind) (*os.File, error) {
	w, err := r.follow(path, kind)
	if err != nil {
		return nil, err
	}
	return w.directory(), nil
}

// CheckOpen judges a file that is already open, whatever leads to its path now.
func (r Rules) CheckOpen(f *os.File, kind Kind) error {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		path = f.Name()
	}
	if err := checkRegular(path, &st); err != nil || r.accepts(path) {
		return err
	}
	var problems []error
	for _, p := range r.judge(path, &st, kind) {
		problems = append(problems, p)
	}
	return errors.Join(problems...)
}

// Check returns why a path can't be trusted, without opening it. accepted are
// the problems that r accepts.
func (r Rules) Check(path string, kind Kind) (accepted []*Problem, err error) {
	w, err := r.follow(path, kind)
	if w == nil {
		return nil, err
	}
	w.close()
	return w.accepted, err
}

// passed is the path of a descriptor that the shell passed to this process.
var passed = regexp.MustCompile(`^/dev/fd/[0-9]+$`)

// Regular opens a regular file for reading, whatever its owner and mode. It
// never waits for the other end of a named pipe. Only a descriptor that the
// shell passed to this process may be something else, as with /dev/stdin or
// <(command), which is /dev/fd/63.
func Regular(path string) (*os.File, error) {
	if path == "/dev/stdin" || passed.MatchString(path) {
		return os.Open(path)
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := checkRegular(path, &st); err != nil {
		return nil, err
	}
	return reopen(unix.AT_FDCWD, path, path, 0)
}

// ReadRegular reads what [Regular] opens.
func ReadRegular(path string) ([]byte, error) {
	f, err := Regular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// regular looks at a file before it is opened: to open a device can have
// effects.
func regular(fd int, path string) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	return checkRegular(path, &st)
}

func checkRegular(path string, st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT == unix.S_IFREG {
		return nil
	}
	return fmt.Errorf("%s is %s, %w; give the path of a file", path, typeName(uint32(st.Mode)), ErrNotRegular)
}

func typeName(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFDIR:
		return "a directory"
	case unix.S_IFIFO:
		return "a named pipe"
	case unix.S_IFSOCK:
		return "a socket"
	case unix.S_IFLNK:
		return "a symbolic link"
	}
	return "a device"
}

// reopen opens a file that was a regular one a moment ago, and makes sure that
// it still is.
func reopen(dir int, name, path string, flags int) (*os.File, error) {
	fd, err := unix.Openat(dir, name, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC|flags, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	if err := errors.Join(regular(fd, path), notGenerated(fd, path)); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

// accepts reports whether the rules accept the owner and mode of a path.
func (r Rules) accepts(path string) bool {
	return slices.ContainsFunc(r.Accept, func(pattern string) bool {
		matched, err := filepath.Match(pattern, path)
		return err == nil && matched
	})
}

// isDistributionLog reports whether a directory is Ubuntu's /var/log, which the
// group of rsyslog must be able to write. Its members can move the daemon's
// directory away, but not change what is in it.
func isDistributionLog(path string, st *unix.Stat_t) bool {
	return path == "/var/log" && st.Uid == 0 && st.Mode&0o002 == 0
}
