package descent

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// reapEvery is the time between looks for dead orphans. A child that this
// process has started is waited for at once, so one that is dead at two looks
// is an orphan.
const reapEvery = 10 * time.Second

// Reap reaps orphans until ctx ends. It leaves other children to the code that
// started them, which must be waiting for them.
func (f *Family) Reap(ctx context.Context) { f.reap(ctx, reapEvery) }

func (f *Family) reap(ctx context.Context, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	var dead map[process]bool
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		dead = f.reapOnce(dead)
	}
}

// endWithin is how long End waits for processes that it has killed. One that
// waits for a disk is left to it.
const endWithin = time.Second

// End kills the descendants that are left. Call it last, when all processes
// that this one has started have been waited for: what outlives this process
// would not be a descendant of the next one.
func (f *Family) End() {
	for deadline := time.Now().Add(endWithin); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		children := f.children()
		if len(children) == 0 {
			return
		}
		for _, p := range children { // their own children are orphans then
			_ = unix.Kill(p.pid, unix.SIGKILL)
			p.reap()
		}
	}
}

// reapOnce reaps the children that were dead the last time, and returns those
// that are dead now.
func (f *Family) reapOnce(before map[process]bool) map[process]bool {
	if !anyDead() {
		return nil
	}
	now := map[process]bool{}
	for _, p := range f.children() {
		if p.state != 'Z' {
			continue
		}
		if before[p] {
			p.reap()
		} else {
			now[p] = true
		}
	}
	return now
}

// anyDead reports whether a child waits to be reaped, without reaping it. It
// costs less than a look at all processes.
func anyDead() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

// reap reaps a child if it is dead.
func (p process) reap() {
	for errors.Is(unix.Waitid(unix.P_PID, p.pid, nil, unix.WEXITED|unix.WNOHANG, nil), unix.EINTR) {
	}
}

func (f *Family) children() (all []process) {
	entries, _ := os.ReadDir("/proc") // after an error, next time
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if p, err := readProcess(pid); err == nil && p.parent == f.self {
			all = append(all, p)
		}
	}
	return all
}
