package pool

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// process is a child process and the pool's end of its socket.
type process struct {
	cmd  *exec.Cmd
	conn *net.UnixConn
}

// spawner starts processes from one thread that it keeps alive: the kernel
// sends a child's parent-death signal when the thread that started it ends, not
// the process, and Go ends threads as it sees fit.
type spawner struct{ requests chan spawnRequest }

type spawnRequest struct {
	command     []string
	environment []string
	stderr      *os.File
	reply       chan<- spawnReply
}

type spawnReply struct {
	process *process
	err     error
}

// run starts processes until ctx ends. No process may be running when it
// returns.
func (s *spawner) run(ctx context.Context) {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	for {
		select {
		case r := <-s.requests:
			p, err := spawn(r)
			r.reply <- spawnReply{p, err}
		case <-ctx.Done():
			return
		}
	}
}

// start starts a process; run must be running.
func (s *spawner) start(command, environment []string, stderr *os.File) (*process, error) {
	reply := make(chan spawnReply, 1)
	s.requests <- spawnRequest{command, environment, stderr, reply}
	r := <-reply
	return r.process, r.err
}

func spawn(r spawnRequest) (*process, error) {
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("hsm/pool: make a socket for a worker: %w", err)
	}
	defer theirs.Close() // the child has a copy; while we hold one, its exit wouldn't show on ours
	cmd := exec.Command(r.command[0], r.command[1:]...)
	cmd.Env = r.environment
	if cmd.Env == nil {
		cmd.Env = []string{} // nil would mean the daemon's
	}
	if r.stderr != nil {
		cmd.Stderr = r.stderr
	}
	cmd.ExtraFiles = []*os.File{theirs} // the first becomes descriptor 3
	if err := cmd.Start(); err != nil {
		_ = ours.Close()
		return nil, fmt.Errorf("hsm/pool: start a worker: %w", err)
	}
	return &process{cmd: cmd, conn: ours}, nil
}

func socketPair() (ours *net.UnixConn, theirs *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	theirs = os.NewFile(uintptr(fds[1]), "worker")
	file := os.NewFile(uintptr(fds[0]), "pool")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		_ = theirs.Close()
		return nil, nil, err
	}
	return conn.(*net.UnixConn), theirs, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// end kills the process if it hasn't exited within the grace period, reaps it
// and says how it exited. It is called once. A process that may be opening its
// token needs wire.OpenGrace.
func (p *process) end(grace time.Duration) string {
	_ = p.conn.Close()
	kill := time.AfterFunc(grace, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	_ = p.cmd.Wait()
	return p.cmd.ProcessState.String()
}
