package pool_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

func TestWorkerInheritsNothing(t *testing.T) {
	token := softhsm.New(t)
	t.Setenv("A_SECRET_OF_THE_DAEMON", "value")
	t.Setenv("CREDENTIALS_DIRECTORY", filepath.Dir(writeFile(t, "hsm-pin", token.PIN)))
	stray, err := os.Open("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	defer stray.Close()
	if _, _, errno := syscall.Syscall(syscall.SYS_FCNTL, stray.Fd(), syscall.F_SETFD, 0); errno != 0 { // as if close-on-exec had been forgotten
		t.Fatal(errno)
	}
	c := config(tokenConfig(token))
	c.Tokens[0].PIN = hsm.PINSource{Credential: "hsm-pin"}
	c.Tokens[0].Environment["LANG"] = "C"
	p := runReady(t, c)
	want := []string{"CREDENTIALS_DIRECTORY=" + os.Getenv("CREDENTIALS_DIRECTORY"), "LANG=C", "SOFTHSM2_CONF=" + token.ConfFile}
	for _, pid := range p.pids() {
		if cmdline := read(t, pid, "cmdline"); strings.Contains(cmdline, token.PIN) {
			t.Error("the PIN is an argument")
		}
		if os.Geteuid() != 0 {
			// /proc hides the rest of a process that isn't dumpable from its own user.
			if _, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid)); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("the user can read the worker's environment: %v", err)
			}
			continue
		}
		if env := environ(t, pid); !slices.Equal(env, want) {
			t.Errorf("the environment is %q; want %q", env, want)
		}
		if limits := read(t, pid, "limits"); !strings.Contains(limits, "Max core file size        0                    0 ") {
			t.Errorf("core files are allowed:\n%s", limits)
		}
		for fd, target := range descriptors(t, pid) {
			standard := fd <= 2 && target == os.DevNull
			runtime := strings.HasPrefix(target, "anon_inode:") || strings.HasPrefix(target, "/sys/fs/cgroup/") // Go's own
			if !standard && !runtime && !strings.HasPrefix(target, "socket:") && !strings.HasPrefix(target, "pipe:") {
				t.Errorf("descriptor %d is %s", fd, target)
			}
		}
	}
}

func environ(t *testing.T, pid int) []string {
	env := strings.Split(strings.TrimRight(read(t, pid, "environ"), "\x00"), "\x00")
	slices.Sort(env)
	return env
}

func read(t *testing.T, pid int, name string) string {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func descriptors(t *testing.T, pid int) map[int]string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]string{}
	for _, e := range entries {
		fd, _ := strconv.Atoi(e.Name())
		if target, err := os.Readlink(filepath.Join(dir, e.Name())); err == nil {
			all[fd] = target
		}
	}
	return all
}

// The pool's process never maps the module, and restarts leak neither zombies
// nor sockets in it.
func TestRestartsLeaveNothingBehind(t *testing.T) {
	token := softhsm.New(t)
	c := config(tokenConfig(token), tokenConfig(token.Add("b")), tokenConfig(token.Add("c")))
	c.Workers = 1
	p := runReady(t, c)
	restart := func(n int) {
		for range n {
			before := p.pids()
			for _, pid := range before {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
			eventually(t, 20*time.Second, "every worker was replaced", func() bool {
				now := p.pids()
				return len(now) == len(before) && !slices.ContainsFunc(now, func(pid int) bool { return slices.Contains(before, pid) })
			})
			p.waitAll()
			for range 25 { // enough answers to be replaced without a pause
				if err := p.Refresh(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	restart(2)
	fds, goroutines := len(descriptors(t, os.Getpid())), runtime.NumGoroutine()
	restart(65)
	eventually(t, 5*time.Second, "no descriptors, goroutines or children are left over", func() bool {
		return len(descriptors(t, os.Getpid())) <= fds && runtime.NumGoroutine() <= goroutines && len(children(t)) == 3
	})
	if n := p.count(pool.EventReady); n < 200 {
		t.Errorf("only %d workers were started", n)
	}
	if maps := read(t, os.Getpid(), "maps"); strings.Contains(maps, "softhsm") {
		t.Error("the pool's process maps the module")
	}
	p.stop()
	if left := children(t); len(left) != 0 {
		t.Errorf("children left after the pool stopped: %v", left)
	}
}

// children are the child processes, including zombies.
func children(t *testing.T) (pids []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil || len(tasks) == 0 {
		t.Fatalf("no /proc/self/task: %v", err)
	}
	for _, task := range tasks {
		b, _ := os.ReadFile(task) // the thread may have exited
		pids = append(pids, strings.Fields(string(b))...)
	}
	return pids
}

// Workers die with the process that started them, whatever they are doing:
// these are stopped and can't notice anything themselves.
func TestWorkersDieWithThePool(t *testing.T) {
	if os.Getenv("RUN_A_POOL") != "" {
		runUntilKilled()
		return
	}
	token := softhsm.New(t)
	tc := tokenConfig(token)
	settings, err := json.Marshal(tc)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestWorkersDieWithThePool$")
	cmd.Env = append(os.Environ(), "RUN_A_POOL="+string(settings))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var pids []int
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&pids); err != nil || len(pids) != 2 {
		t.Fatalf("the pool's workers are %v, %v", pids, err)
	}
	for _, pid := range pids {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	for _, pid := range pids {
		eventually(t, 5*time.Second, "the workers are gone", func() bool {
			stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
			return err != nil || bytes.Contains(stat, []byte(") Z ")) // its new parent reaps it eventually
		})
	}
}

func runUntilKilled() {
	var tc pool.TokenConfig
	if err := json.Unmarshal([]byte(os.Getenv("RUN_A_POOL")), &tc); err != nil {
		panic(err)
	}
	p, err := pool.New(config(tc))
	if err != nil {
		panic(err)
	}
	var all sync.WaitGroup
	all.Go(func() { _ = p.Run(context.Background()) })
	for {
		var pids []int
		for _, s := range p.Status() {
			if s.State == ipc.WorkerReady {
				pids = append(pids, s.PID)
			}
		}
		if len(pids) == 2 {
			_ = json.NewEncoder(os.Stdout).Encode(pids)
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	all.Wait()
}

// Signatures in flight when the pool stops are finished, and the workers exit
// cleanly.
func TestStopLetsSignaturesFinish(t *testing.T) {
	token, m := softhsm.New(t), faulty.Build(t)
	p := runReady(t, config(faultyConfig(token, m)))
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	before := m.Calls(t, "C_SignInit")
	m.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Delay, Wait: 300 * time.Millisecond})
	var signed atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
				t.Error(err)
			}
			signed.Add(1)
		})
	}
	eventually(t, 5*time.Second, "the module has all of them", func() bool { return m.Calls(t, "C_SignInit") == before+4 })
	if signed.Load() != 0 {
		t.Fatal("a signature was made before the stop")
	}
	p.stop()
	all.Wait()
	for _, s := range p.Status() {
		if s.State != ipc.WorkerStopped || s.PID != 0 {
			t.Errorf("after the stop: %+v", s)
		}
	}
}

// Signatures leak no memory: 100,000 of them, 10,000 with -short.
func TestMemoryStaysFlat(t *testing.T) {
	n := 10_000
	if !testing.Short() {
		n = 100_000
	}
	c := config(tokenConfig(softhsm.New(t)))
	c.Tokens[0].HSM.SessionCopies = true
	p := runReady(t, c)
	k := p.generate(hsm.P256)
	digest, opts := digestOf(k, "text")
	sign := func(n int) (heap uint64) {
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for range n / 8 {
					if _, err := p.Sign(t.Context(), "", k.Ref, digest, opts, nil); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := sign(1000)
	if after := sign(n); after > before+1<<20 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}
