// Package faultydisk makes the disk of a child process stop answering or fail,
// for tests. It works for any user, without a file system of its own: the child
// runs under a seccomp filter (seccomp_unotify(2)) that stops each fdatasync
// and asks the test what becomes of it. Only the audit log uses that call.
//
// The call of a frozen disk stays in the kernel, as with fsfreeze; unlike
// there, SIGKILL ends it. Tests that can mount a file system freeze a real one
// as well.
package faultydisk

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Disk is the disk of one child process. It works until Freeze or Fail.
type Disk struct {
	filter int // the listener of the child's filter

	mu     sync.Mutex
	frozen bool
	fault  unix.Errno
	held   []uint64 // calls that wait for Thaw
	waited int
}

// Start starts a command under the filter. TestMain of the test must call
// [Confine] first.
func (d *Disk) Start(cmd *exec.Cmd) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	own, theirs := os.NewFile(uintptr(pair[0]), "own"), os.NewFile(uintptr(pair[1]), "theirs")
	defer own.Close()
	defer theirs.Close()
	if cmd.Env == nil {
		cmd.Env = os.Environ()
	}
	cmd.Env = append(cmd.Env, confined+"="+cmd.Path)
	cmd.Path, cmd.Err = os.Args[0], nil
	cmd.ExtraFiles = []*os.File{theirs}
	if err := cmd.Start(); err != nil {
		return err
	}
	theirs.Close()
	if d.filter, err = receive(own); err != nil {
		return errors.Join(fmt.Errorf("faultydisk: %w", err), cmd.Process.Kill(), cmd.Wait())
	}
	go d.serve()
	return nil
}

// receive waits for a file descriptor.
func receive(socket *os.File) (int, error) {
	c, err := net.FileConn(socket)
	if err != nil {
		return -1, err
	}
	defer c.Close()
	space := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := c.(*net.UnixConn).ReadMsgUnix(make([]byte, 1), space)
	if err != nil {
		return -1, err
	}
	messages, err := unix.ParseSocketControlMessage(space[:n])
	if err != nil || len(messages) != 1 {
		return -1, errors.Join(err, errors.New("the child passed no filter"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return -1, err
	}
	return fds[0], nil
}

// Freeze holds every sync from now on, until Thaw.
func (d *Disk) Freeze() { d.set(true, 0) }

// Fail makes every sync fail from now on, until Thaw.
func (d *Disk) Fail(fault unix.Errno) { d.set(false, fault) }

// Thaw makes the disk work again.
func (d *Disk) Thaw() { d.set(false, 0) }

// Waited returns how many calls the disk has held or failed.
func (d *Disk) Waited() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.waited
}

func (d *Disk) set(frozen bool, fault unix.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.frozen, d.fault = frozen, fault
	if !frozen {
		for _, id := range d.held {
			d.answer(id)
		}
		d.held = nil
	}
}

// The structures of linux/seccomp.h.
type notification struct {
	id         uint64
	pid, flags uint32
	_          [64]byte // struct seccomp_data
}

type response struct {
	id    uint64
	value int64
	err   int32
	flags uint32
}

const (
	notifyReceive = 0xc0502100 // SECCOMP_IOCTL_NOTIF_RECV
	notifySend    = 0xc0182101 // SECCOMP_IOCTL_NOTIF_SEND
	proceed       = 1          // SECCOMP_USER_NOTIF_FLAG_CONTINUE
)

// serve answers until the child has ended.
func (d *Disk) serve() {
	defer unix.Close(d.filter)
	for {
		poll := []unix.PollFd{{Fd: int32(d.filter), Events: unix.POLLIN}}
		if _, err := unix.Poll(poll, -1); err != nil && !errors.Is(err, unix.EINTR) || poll[0].Revents&unix.POLLHUP != 0 {
			return
		}
		var n notification
		if err := control(d.filter, notifyReceive, unsafe.Pointer(&n)); err != nil {
			continue // the thread has gone
		}
		d.mu.Lock()
		if d.frozen || d.fault != 0 {
			d.waited++
		}
		if d.frozen {
			d.held = append(d.held, n.id)
		} else {
			d.answer(n.id)
		}
		d.mu.Unlock()
	}
}

// answer lets a call proceed or fail. The process may have gone.
func (d *Disk) answer(id uint64) {
	r := response{id: id, flags: proceed}
	if d.fault != 0 {
		r = response{id: id, err: -int32(d.fault)}
	}
	_ = control(d.filter, notifySend, unsafe.Pointer(&r))
}

func control(fd int, request uintptr, argument unsafe.Pointer) error {
	if _, _, err := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(argument)); err != 0 {
		return err
	}
	return nil
}
