package ipc

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
)

// TestPidReuse gives a dead caller's pid to another process before the caller is
// looked at. It takes a pid namespace, in which the next pid can be chosen, and
// so root.
func TestPidReuse(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	cmd := childCommand(t, program(t, "daemon"), "pid-reuse", socketDir(t)+"/s", program(t, "victim"), program(t, "reuser"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "reused, and not fooled\n" {
		t.Fatalf("%v: %s", err, out)
	}
}

// childPidReuse is the daemon, process 1 of its pid namespace: SOCKET VICTIM REUSER.
func childPidReuse(args []string) error {
	if err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", "/proc", "proc", 0, ""),
	); err != nil {
		return err
	}
	l, err := Listen(Listener{Socket: args[0]})
	if err != nil {
		return err
	}
	victim, err := startWaiting(args[1], args[0])
	if err != nil {
		return err
	}
	c, err := l.AcceptUnix()
	if err != nil {
		return err
	}
	if peer, err := look(c); err != nil || peer.Executable != args[1] {
		return fmt.Errorf("alive: %w %+v", err, peer)
	}
	if err := victim.Process.Kill(); err != nil {
		return err
	}
	_ = victim.Wait() // killed
	if err := reuse(victim.Process.Pid, args[2], args[0], l); err != nil {
		return err
	}
	peer, err := look(c)
	if !errors.Is(err, errPeerGone) || peer.Executable != "" || int(peer.PID) != victim.Process.Pid {
		return fmt.Errorf("fooled: %v %+v", err, peer)
	}
	fmt.Println("reused, and not fooled")
	return nil
}

// reuse starts prog under a pid that was just given up, and shows that /proc now
// has prog there.
func reuse(pid int, prog, socket string, l *BoundListener) error {
	for range 50 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			return err
		}
		cmd, err := startWaiting(prog, socket)
		if err != nil {
			return err
		}
		if _, err := l.AcceptUnix(); err != nil {
			return err
		}
		if cmd.Process.Pid == pid {
			if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err != nil || exe != prog {
				return fmt.Errorf("the pid's program is %s (%w)", exe, err)
			}
			return nil
		}
		// A thread of this process took the pid first.
	}
	return errors.New("the pid was not given out again")
}

func startWaiting(prog, socket string) (*exec.Cmd, error) {
	cmd := exec.Command(prog, socket)
	cmd.Env = append(os.Environ(), "IPC_TEST_CHILD=wait")
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

func look(c *net.UnixConn) (Peer, error) {
	var peer Peer
	if err := readCredentials(c, &peer); err != nil {
		return peer, err
	}
	err := identifier{newHashCache(8, time.Now)}.identify(c, everything(), &peer)
	return peer, err
}
