package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// TestPidReuse gives a dead caller's PID to another process before the caller
// is identified. It needs root, to make a PID namespace in which it can choose
// the next PID.
func TestPidReuse(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	cmd := peertest.Command(t, peertest.Program(t, "daemon"), "pid-reuse", peertest.Dir(t)+"/s", peertest.Program(t, "victim"), peertest.Program(t, "reuser"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "reused, and not fooled\n" {
		t.Fatalf("%v: %s", err, out)
	}
}

// childPidReuse is the daemon, process 1 of its PID namespace: SOCKET VICTIM
// REUSER.
func childPidReuse(args []string) error {
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
	); err != nil {
		return err
	}
	l, err := Listen(Socket{Path: args[0]})
	if err != nil {
		return err
	}
	victim, err := startConnected(args[1], args[0])
	if err != nil {
		return err
	}
	c, err := l.AcceptUnix()
	if err != nil {
		return err
	}
	if who, err := identify(c); err != nil || who.Executable != args[1] {
		return fmt.Errorf("alive: %w %+v", err, who)
	}
	if err := victim.Process.Kill(); err != nil {
		return err
	}
	_ = victim.Wait() // killed
	if err := reuse(victim.Process.Pid, args[2], args[0], l); err != nil {
		return err
	}
	who, err := identify(c)
	if !errors.Is(err, errPeerExited) || who.Executable != "" || int(who.PID) != victim.Process.Pid {
		return fmt.Errorf("fooled: %v %+v", err, who)
	}
	fmt.Println("reused, and not fooled")
	return nil
}

// reuse starts prog under a PID that has just been freed, and shows that /proc
// has prog there now.
func reuse(pid int, prog, socket string, l *Listener) error {
	for range 50 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return err
		}
		cmd, err := startConnected(prog, socket)
		if err != nil {
			return err
		}
		if _, err := l.AcceptUnix(); err != nil {
			return err
		}
		if cmd.Process.Pid == pid {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != prog {
				return fmt.Errorf("the program of the PID is %s (%w)", exe, err)
			}
			return nil
		}
		// A thread of this process got the PID first.
	}
	return errors.New("the kernel did not reuse the PID")
}

func startConnected(prog, socket string) (*exec.Cmd, error) {
	cmd := exec.Command(prog, socket)
	cmd.Env = peertest.Environment("connect")
	if _, err := cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	_, err = io.ReadFull(out, make([]byte, len("connected\n")))
	return cmd, err
}

func identify(c *net.UnixConn) (caller.Caller, error) {
	who, err := Credentials(c)
	if err != nil {
		return who, err
	}
	err = NewIdentifier(IDMap{}, nil, time.Now).identify(c, everything(), &who)
	return who, err
}
