package sandbox

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

const zeros = "0000000000000000000000000000000000000000000000000000000000000000"

func replace(text []byte, from, to string) []byte {
	return bytes.ReplaceAll(text, []byte(from), []byte(to))
}

// inChild names a function that a child process runs: a sandbox can't be
// removed again.
const inChild = "ASSERTD_SANDBOX_TEST"

func TestMain(m *testing.M) {
	children := map[string]func(dir string) error{"confined": confined, "concealed": concealed, "dropped": dropped, "module": leftWithModule}
	if name, dir, ok := strings.Cut(os.Getenv(inChild), ":"); ok {
		if err := children[name](dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func runChild(t *testing.T, name, dir string, wrapper ...string) {
	t.Helper()
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	argv := append(wrapper, program)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), inChild+"="+name+":"+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

func TestEnforce(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"read/file", "write/file", "other/file"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	runChild(t, "confined", dir)
}

// confined runs in a child process, and opens files from many threads.
func confined(dir string) error {
	in := func(name string) string { return filepath.Join(dir, name) }
	rules := Rules{Read: []string{in("read"), in("missing")}, Write: []string{in("write"), "/dev"}}
	if err := rules.Enforce(); err != nil {
		return err
	}
	refused := fs.ErrPermission
	if Supported() == 0 {
		refused = nil // this kernel has no Landlock
	}
	var threads sync.WaitGroup
	problems := make([]error, 8)
	for i := range problems {
		threads.Go(func() {
			problems[i] = errors.Join(
				expect(nil, in("read/file"), os.O_RDONLY), expect(refused, in("read/file"), os.O_WRONLY),
				expect(nil, in("write/file"), os.O_RDWR), expect(nil, fmt.Sprint(in("write/new"), i), os.O_CREATE|os.O_WRONLY),
				expect(refused, in("other/file"), os.O_RDONLY), expect(refused, "/etc/passwd", os.O_RDONLY),
			)
		})
	}
	threads.Wait()
	return errors.Join(problems...)
}

func expect(want error, path string, flags int) error {
	file, err := os.OpenFile(path, flags, 0o600)
	if err == nil {
		file.Close()
	}
	if !errors.Is(err, want) {
		return fmt.Errorf("open %s with %#x: %v, want %v", path, flags, err, want)
	}
	return nil
}

func TestConceal(t *testing.T) { runChild(t, "concealed", "") }

func concealed(string) error {
	if err := Conceal(); err != nil {
		return err
	}
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	if err != nil || dumpable != 0 {
		return fmt.Errorf("dumpable = %d (%v), want 0", dumpable, err)
	}
	var core unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &core); err != nil || core != (unix.Rlimit{}) {
		return fmt.Errorf("core limit = %+v (%v), want none", core, err)
	}
	return nil
}

// TestDropCapabilities starts its child as a user with an ambient capability,
// as systemd does with AmbientCapabilities=, if this process can do that.
func TestDropCapabilities(t *testing.T) {
	if os.Geteuid() != 0 {
		runChild(t, "dropped", "")
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	public := filepath.Join(t.TempDir(), "test") // only root can access go's own directory
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chmod(filepath.Dir(filepath.Dir(public)), 0o755), os.Chmod(filepath.Dir(public), 0o755), os.WriteFile(public, content, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
		"--inh-caps=+sys_ptrace", "--ambient-caps=+sys_ptrace", public)
	cmd.Env = append(os.Environ(), inChild+"=dropped:expected")
	cmd.Dir = "/"
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func dropped(expected string) error {
	if before := capabilities("CapEff:"); expected != "" && strings.Trim(before, "0") == "" {
		return errors.New("the test gave its child no capability")
	}
	if err := DropCapabilities(); err != nil {
		return err
	}
	for _, set := range []string{"CapInh:", "CapPrm:", "CapEff:", "CapAmb:"} {
		if left := capabilities(set); strings.Trim(left, "0") != "" {
			return fmt.Errorf("%s %s", set, left)
		}
	}
	return nil
}

// capabilities reads a capability set of every thread and returns the largest.
func capabilities(set string) (largest string) {
	threads, _ := filepath.Glob("/proc/self/task/*/status")
	for _, path := range threads {
		status, _ := os.ReadFile(path)
		for line := range strings.Lines(string(status)) {
			if value, ok := strings.CutPrefix(line, set); ok {
				largest = max(largest, strings.TrimSpace(value))
			}
		}
	}
	return largest
}
