package peer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
)

var (
	// ErrUnidentified means that attributes of a peer could not be established
	// beyond doubt; the peer goes without them.
	ErrUnidentified = errors.New("peer not identified")
	// errPeerGone is the peer that died: nothing read under its number counts.
	errPeerGone = errors.New("the process that connected has ended")
)

// UnidentifiedError says which attribute of which process could not be
// established. It is for the log: it may name paths that the peer must not learn.
type UnidentifiedError struct {
	PID       int32
	Attribute string // "executable", "cgroup", or "process" for all of them
	Err       error
}

const (
	attrExecutable = "executable"
	attrCgroup     = "cgroup"
	attrProcess    = "process"
)

// Error names the process, the attribute and the reason.
func (e *UnidentifiedError) Error() string {
	return fmt.Sprintf("%v: %s of process %d: %v", ErrUnidentified, e.Attribute, e.PID, e.Err)
}

// Unwrap returns ErrUnidentified and the reason.
func (e *UnidentifiedError) Unwrap() []error { return []error{ErrUnidentified, e.Err} }

// isTransient reports whether a later look may find what this one did not: the
// daemon was short of something.
func isTransient(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// concerns reports whether err, of identify, is about any of the attributes.
func concerns(err error, of caller.Attributes) bool {
	switch e := err.(type) {
	case *UnidentifiedError:
		return e.Attribute == attrProcess && of != (caller.Attributes{}) ||
			e.Attribute == attrExecutable && (of.Executable || of.Hash) || e.Attribute == attrCgroup && of.Cgroup
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(one error) bool { return concerns(one, of) })
	}
	return err != nil
}

// Identifier looks up the attributes that the credentials don't hold. Make it with
// [NewIdentifier].
type Identifier struct {
	hashes *hashCache
	ids    IDMap
}

// NewIdentifier makes an identifier for a daemon whose user namespace has ids. now
// tells how old a program's file is.
func NewIdentifier(ids IDMap, now func() time.Time) *Identifier {
	return &Identifier{hashes: newHashCache(hashCacheSize, now), ids: ids}
}

// identify fills in the wanted attributes of the process that made conn. /proc is
// read by number while a pidfd of the process is held, and what was read counts
// only if the process still lives afterwards: a number is not given to another
// process before its owner has ended. It returns *UnidentifiedErrors, joined, and
// leaves the attributes concerned empty.
func (id *Identifier) identify(conn syscall.Conn, want caller.Attributes, who *caller.Caller) error {
	if want == (caller.Attributes{}) {
		return nil
	}
	unidentified := func(what string, err error) error {
		return &UnidentifiedError{PID: who.PID, Attribute: what, Err: err}
	}
	pidfd, err := peerPidfd(conn)
	if err != nil {
		return unidentified(attrProcess, err)
	}
	defer unix.Close(pidfd)
	pid, err := pidOf(pidfd)
	if err != nil {
		return unidentified(attrProcess, err)
	}
	found, err := id.readProc(pid, want, unidentified)
	if gone := checkAlive(pidfd); gone != nil {
		return unidentified(attrProcess, gone)
	}
	who.Executable, who.ExecutableSHA256 = found.Executable, found.ExecutableSHA256
	who.Unit, who.Container = found.Unit, found.Container
	return err
}

func (id *Identifier) readProc(pid int, want caller.Attributes, unidentified func(string, error) error) (found caller.Caller, err error) {
	proc := "/proc/" + strconv.Itoa(pid)
	if want.Executable || want.Hash {
		exe, failed := id.readExecutable(proc+"/exe", want)
		if failed != nil {
			err = unidentified(attrExecutable, failed)
		}
		found.Executable, found.ExecutableSHA256 = exe.path, exe.sha256
	}
	if want.Cgroup {
		unit, container, failed := readCgroup(proc + "/cgroup")
		if failed != nil {
			err = errors.Join(err, unidentified(attrCgroup, failed))
		}
		found.Unit, found.Container = unit, container
	}
	return found, err
}

// executable is what one look at a program found.
type executable struct {
	path, sha256 string
}

// readExecutable takes path and hash from one descriptor, so that a process that
// becomes another program meanwhile can't show the name of one and the bytes of
// the other. Either can fail alone: err then says why one is empty.
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

// verifiedPath returns the name of an open file, if the daemon finds the same file
// under it. A deleted file's name is not its own any more, and a process in
// another mount namespace or root can give any program any name.
func verifiedPath(fd int) (string, error) {
	path, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", err
	}
	if strings.HasSuffix(path, " (deleted)") {
		return "", errors.New("the program's file was deleted or replaced since it was started; restart it")
	}
	var opened, named unix.Stat_t
	if err := unix.Fstat(fd, &opened); err != nil {
		return "", os.NewSyscallError("fstat", err)
	}
	if err := unix.Lstat(path, &named); err != nil {
		return "", fmt.Errorf("%q is not to be seen by the daemon (%w); match by hash, unit or container", path, err)
	}
	if opened.Dev != named.Dev || opened.Ino != named.Ino {
		return "", fmt.Errorf("%q is another file for the daemon than for the process; match by hash, unit or container", path)
	}
	return path, nil
}

// pidOf returns the number that a pidfd's process has in the daemon's namespace.
func pidOf(pidfd int) (int, error) {
	info, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(info)); lines.Scan(); {
		value, ok := strings.CutPrefix(lines.Text(), "Pid:")
		if !ok {
			continue
		}
		pid, err := strconv.Atoi(strings.TrimSpace(value))
		switch {
		case err != nil:
			return 0, err
		case pid == -1:
			return 0, errPeerGone
		case pid <= 0:
			return 0, errors.New("it runs outside the daemon's pid namespace; run the daemon in the host's, or match by user or listener")
		}
		return pid, nil
	}
	return 0, errors.New("no Pid in fdinfo")
}

// checkAlive returns nil if the process of a pidfd has not ended: the pidfd polls
// readable once it has, zombie or not.
func checkAlive(pidfd int) error {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 0)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return os.NewSyscallError("poll", err)
		case n != 0:
			return errPeerGone
		}
		return nil
	}
}
