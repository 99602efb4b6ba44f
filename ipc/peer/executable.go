package peer

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
)

// executable is a program's path and hash.
type executable struct {
	path, sha256 string
}

// readExecutable takes path and hash from one descriptor, so that a process
// that executes another program in the meantime can't show the path of one and
// the bytes of the other. Either can fail without the other; err says why it is
// empty.
func (id *Identifier) readExecutable(link string, want caller.Attributes) (exe executable, err error) {
	fd, err := unix.Open(link, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
			err = fmt.Errorf("%w (the daemon needs CAP_SYS_PTRACE to see other users' programs)", err)
		}
		return exe, err
	}
	defer unix.Close(fd)
	var errPath, errHash error
	if want.Executable {
		exe.path, errPath = verifiedPath(fd)
	}
	if want.Hash {
		exe.sha256, errHash = id.hashes.sum(fd)
	}
	return exe, errors.Join(errPath, errHash)
}

// verifiedPath returns the path of an open file if the daemon finds the same
// file there. The path of a deleted file may already belong to another file,
// and a process in its own mount namespace or root can give any program any
// path.
func verifiedPath(fd int) (string, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(path, " (deleted)") {
		return "", errors.New("the program's file was deleted or replaced after the program started; restart the program")
	}
	var opened, named unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil {
		return "", os.NewSyscallError("fstat", err)
	}
	if err := unix.Lstat(path, &named); err != nil {
		return "", fmt.Errorf("the daemon can't see %q (%w); match by hash, unit or container", path, err)
	}
	if opened.Dev != named.Dev || opened.Ino != named.Ino {
		return "", fmt.Errorf("%q is a different file for the daemon than for the process; match by hash, unit or container", path)
	}
	return path, nil
}
