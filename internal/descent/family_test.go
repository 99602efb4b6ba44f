package descent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func adopt(t *testing.T) *Family {
	t.Helper()
	f, err := Adopt()
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// descendant reports whether the process is one.
func (f *Family) descendant(t *testing.T, pid int) (bool, error) {
	t.Helper()
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatalf("pidfd_open %d: %v", pid, err)
	}
	defer unix.Close(pidfd)
	return f.Descendant(pidfd, pid)
}

// shell runs a script that prints a PID, and returns the PID. The script ends
// with the test.
func shell(t *testing.T, script string) (pid int) {
	t.Helper()
	command := exec.Command("sh", "-c", script)
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); command.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if pid, err = strconv.Atoi(strings.TrimSpace(line)); err != nil {
		t.Fatal(err)
	}
	return pid
}

// A child, its child, and a daemon of theirs with its own session are
// descendants.
func TestDescendantsAreKnown(t *testing.T) {
	f := adopt(t)
	for name, script := range map[string]string{
		"child":      `echo $$; read x`,
		"grandchild": `sh -c 'echo $$; read x'; :`,
		"orphan":     `(setsid sh -c 'while [ $(ps -o ppid= -p $$) = '$$' ]; do sleep 0.01; done; echo $$; exec sleep 60' </dev/null &) ; :`,
		"deep":       `sh -c "sh -c \"sh -c 'echo \\\$\\\$; read x'; :\"; :"; :`,
	} {
		t.Run(name, func(t *testing.T) {
			pid := shell(t, script)
			if is, err := f.descendant(t, pid); !is || err != nil {
				t.Errorf("process %d: %v, %v", pid, is, err)
			}
			if name == "orphan" {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		})
	}
}

func TestOthersAreNoDescendants(t *testing.T) {
	f := adopt(t)
	for _, pid := range []int{os.Getpid(), os.Getppid(), 1} {
		if is, err := f.descendant(t, pid); is || err != nil {
			t.Errorf("process %d: %v, %v", pid, is, err)
		}
	}
	var none *Family
	if none.CanHave(uint32(os.Geteuid())) {
		t.Error("no family has a member")
	}
	if !f.CanHave(uint32(os.Geteuid())) || f.CanHave(uint32(os.Geteuid())+1) {
		t.Error("the family has another user")
	}
}

// A process that has exited could have been a descendant.
func TestExitedProcessIsUnknown(t *testing.T) {
	f := adopt(t)
	command := exec.Command("cat")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(command.Process.Pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	in.Close()
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	if is, err := f.Descendant(pidfd, command.Process.Pid); is || !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, %v", is, err)
	}
}

// The walk to the ancestors is bounded.
func TestLongDescentIsUnknown(t *testing.T) {
	f := adopt(t)
	script := fmt.Sprintf(`deeper() { if [ $1 = 0 ]; then sh -c 'echo $$; read x'; else (deeper $(($1 - 1)); :); fi; }; deeper %d; :`, maxDepth)
	pid := shell(t, script)
	if is, err := f.descendant(t, pid); is || !errors.Is(err, ErrUnknown) {
		t.Errorf("%v, %v", is, err)
	}
}

// Orphans are reaped; children are left to those who wait for them.
func TestOrphansAreReaped(t *testing.T) {
	f := adopt(t)
	ctx, cancel := context.WithCancel(t.Context())
	reaping := make(chan struct{})
	go func() { defer close(reaping); f.reap(ctx, 50*time.Millisecond) }()
	defer func() { cancel(); <-reaping }()
	for range 20 {
		orphan := shell(t, `(setsid sh -c 'while [ $(ps -o ppid= -p $$) = '$$' ]; do sleep 0.01; done; echo $$' </dev/null &) ; :`)
		if err := exec.Command("sh", "-c", "exit 7").Run(); !exitedWith(err, 7) {
			t.Errorf("a child's exit was lost: %v", err)
		}
		awaitGone(t, orphan)
	}
}

// Orphans and their children don't outlive this process. It runs in a child:
// End kills all descendants.
func TestOrphansEndWithTheFamily(t *testing.T) {
	if os.Getenv("DESCENT_END_HERE") == "" {
		command := exec.Command("/proc/self/exe", "-test.run=^TestOrphansEndWithTheFamily$", "-test.v")
		command.Env = append(os.Environ(), "DESCENT_END_HERE=1")
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "PASS: TestOrphansEndWithTheFamily") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	f := adopt(t)
	command := exec.Command("sh", "-c", `(setsid sh -c 'sleep 1000 & echo $!; exec sleep 1001' </dev/null &) ; :`)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Wait(); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	f.End()
	if err := unix.Kill(pid, 0); !errors.Is(err, unix.ESRCH) {
		t.Errorf("process %d is still there", pid)
	}
	if left := f.children(); len(left) > 0 {
		t.Errorf("%+v are left", left)
	}
}

func exitedWith(err error, code int) bool {
	var exit *exec.ExitError
	return errors.As(err, &exit) && exit.ExitCode() == code
}

func awaitGone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if err := unix.Kill(pid, 0); errors.Is(err, unix.ESRCH) {
			return
		}
	}
	t.Errorf("process %d is still there", pid)
}

// Both ways to learn a parent agree.
func TestParentFromProc(t *testing.T) {
	p, err := readProcess(os.Getpid())
	if err != nil || p.parent != os.Getppid() {
		t.Errorf("%+v, %v; want parent %d", p, err, os.Getppid())
	}
	pidfd, err := unix.PidfdOpen(os.Getpid(), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pidfd)
	if ppid, err := parentFromProc(pidfd, os.Getpid()); err != nil || ppid != os.Getppid() {
		t.Errorf("%d, %v; want %d", ppid, err, os.Getppid())
	}
	stat := "42 (a) Z 1 (x)) S 7 " + strings.Repeat("0 ", 17) + "99 0\n"
	if p, err := parseStat(42, []byte(stat)); err != nil || p != (process{42, 7, 'S', "99"}) {
		t.Errorf("%+v, %v", p, err)
	}
	if _, err := parseStat(42, []byte("42 (a) S")); err == nil {
		t.Error("a short line was parsed")
	}
}

// BenchmarkDescendant is what a connection with the daemon's own user costs.
func BenchmarkDescendant(b *testing.B) {
	f, err := Adopt()
	if err != nil {
		b.Fatal(err)
	}
	pidfd, err := unix.PidfdOpen(os.Getppid(), 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(pidfd)
	for b.Loop() {
		if is, err := f.Descendant(pidfd, os.Getppid()); is || err != nil {
			b.Fatal(is, err)
		}
	}
}
