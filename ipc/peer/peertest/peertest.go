// Package peertest starts processes that call a socket, for tests. They run the
// test binary itself, as another user or under another name.
package peertest

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// roleVariable is the environment variable that makes a test binary a child.
const roleVariable = "IPC_TEST_CHILD"

// Role is what the test binary does as a child. It prints its result. An error
// is printed too, and makes the child exit with status 1.
type Role func(args []string) error

// Main is for TestMain: it runs the tests or, in a child, the role.
func Main(m *testing.M, roles map[string]Role) {
	name := os.Getenv(roleVariable)
	if name == "" {
		os.Exit(m.Run())
	}
	run := roles[name]
	if run == nil {
		fmt.Println("no such role:", name)
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// Command returns a child that runs a role. It is killed when the test ends.
func Command(t testing.TB, program, role string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(Environment(role), "GORACE=atexit_sleep_ms=0")
	return cmd
}

// Environment returns this process's environment with a role.
func Environment(role string) []string {
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, roleVariable+"=") })
	return append(inherited, roleVariable+"="+role)
}

// As sets the user, group and supplementary groups of a child.
func As(uid, gid uint32, groups ...uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
}

// Program copies the test binary to a place where every user may run it. The
// name is appended, so that programs with different names have different
// hashes.
func Program(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	path := filepath.Join(Dir(t), name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, self); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(name); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// Dir returns a temporary directory that every user may enter.
func Dir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Eventually polls until done returns true, for up to 10 seconds.
func Eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not in time: %s", what)
		}
	}
}
