package peer

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/ipc/caller"
)

// ErrUnidentified means that some attributes of a peer could not be established
// beyond doubt. They are empty.
var ErrUnidentified = errors.New("peer not identified")

// UnidentifiedError says which attribute of which process could not be
// established. It is for the log only: it may name paths that the peer must not
// learn about.
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
	if e.Attribute == attrProcess {
		return fmt.Sprintf("%v: process %d: %v", ErrUnidentified, e.PID, e.Err)
	}
	return fmt.Sprintf("%v: %s of process %d: %v", ErrUnidentified, e.Attribute, e.PID, e.Err)
}

// Unwrap returns [ErrUnidentified] and the reason.
func (e *UnidentifiedError) Unwrap() []error { return []error{ErrUnidentified, e.Err} }

// isTransient reports whether another attempt may succeed, because the daemon
// ran out of something.
func isTransient(err error) bool {
	return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) || errors.Is(err, unix.ENOMEM)
}

// affects reports whether err, returned by identify, is about any of
// attributes.
func affects(err error, attributes caller.Attributes) bool {
	switch e := err.(type) {
	case *UnidentifiedError:
		return e.Attribute == attrProcess && attributes != (caller.Attributes{}) ||
			e.Attribute == attrExecutable && (attributes.Executable || attributes.Hash) ||
			e.Attribute == attrCgroup && attributes.Cgroup
	case interface{ Unwrap() []error }:
		return slices.ContainsFunc(e.Unwrap(), func(one error) bool { return affects(one, attributes) })
	}
	return err != nil
}

// Identifier looks up the attributes of peers that are not in their
// credentials. Make it with [NewIdentifier].
type Identifier struct {
	hashes *hashCache
	ids    IDMap
	family *descent.Family
}

// NewIdentifier makes an identifier for a daemon whose user namespace maps ids.
// It refuses descendants of the daemon's family; nil is for none.
func NewIdentifier(ids IDMap, family *descent.Family, now func() time.Time) *Identifier {
	return &Identifier{hashes: newHashCache(hashCacheSize, now), ids: ids, family: family}
}

// identify fills in the wanted attributes of the process that made conn. It
// holds a pidfd of the process, reads /proc by PID, and discards what it read
// unless the process is still alive afterwards: the kernel doesn't reuse a PID
// before its process has exited. The error joins *UnidentifiedErrors; the
// attributes that they name are left empty.
func (id *Identifier) identify(conn syscall.Conn, want caller.Attributes, c *caller.Caller) error {
	if want == (caller.Attributes{}) {
		return nil
	}
	unidentified := func(attribute string, err error) error {
		return &UnidentifiedError{PID: c.PID, Attribute: attribute, Err: err}
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
	c.Executable, c.ExecutableSHA256 = found.Executable, found.ExecutableSHA256
	c.Unit, c.Container = found.Unit, found.Container
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
