package peer

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/ipc/caller"
)

// ErrDescendant means that the peer is a process that the daemon has started,
// or a descendant of one. None of them has a reason to connect, but the code of
// a PKCS#11 module can try.
var ErrDescendant = errors.New("the peer is one of the daemon's own processes; if nobody is testing, treat the PKCS#11 module as compromised")

// RefuseDescendant returns an [ErrDescendant] if the process that made conn
// descends from this one, and a [descent.ErrUnknown] if it can't tell. It asks
// only about peers with a user that descendants can have. A peer in
// another PID namespace isn't one: a process can't leave its namespace for one
// outside it.
func RefuseDescendant(conn syscall.Conn, from caller.Caller, family *descent.Family) error {
	if !family.CanHave(from.UID) || from.PID == 0 {
		return nil
	}
	pidfd, err := peerPidfd(conn)
	if errors.Is(err, unix.ENOPROTOOPT) { // before Linux 6.5; a recycled PID could show another process
		pidfd, err = unix.PidfdOpen(int(from.PID), 0)
		err = os.NewSyscallError("pidfd_open", err)
	}
	if err != nil { // the process has exited, or the kernel is too old
		return fmt.Errorf("%w: %w", descent.ErrUnknown, err)
	}
	defer unix.Close(pidfd)
	is, err := family.Descendant(pidfd, int(from.PID))
	if err == nil && is {
		return ErrDescendant
	}
	return err
}
