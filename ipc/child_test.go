package ipc

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// child is what the test binary does as another process. It prints what the
// server answered, or an error.
func child(role string, args []string) int {
	run := map[string]func([]string) error{
		"ask":       childAsk,       // SOCKET: connect and ask who I am
		"inherited": childInherited, // descriptor 3 is a connection: ask who I am
		"wait":      childWait,      // SOCKET: connect, say so, ask once told to
		"give":      childGive,      // see identity_test.go
		"impostor":  childImpostor,  // see identity_test.go
		"pid-reuse": childPidReuse,  // see pidreuse_test.go
		"activated": childActivated, // see systemd_test.go
	}[role]
	if run == nil {
		fmt.Println("no such role:", role)
		return 2
	}
	if err := run(args); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

const whoAmI = "GET /v1/grants HTTP/1.1\r\nHost: assertd\r\nConnection: close\r\n\r\n"

func ask(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		return err
	}
	if _, err := io.WriteString(c, whoAmI); err != nil {
		return err
	}
	_, err := io.Copy(os.Stdout, c)
	return err
}

func childAsk(args []string) error {
	c, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	return ask(c)
}

func childInherited([]string) error {
	c, err := net.FileConn(os.NewFile(3, "connection"))
	if err != nil {
		return err
	}
	return ask(c)
}

func childWait(args []string) error {
	c, err := net.Dial("unix", args[0])
	if err != nil {
		return err
	}
	fmt.Println("connected")
	if _, err := os.Stdin.Read(make([]byte, 1)); err != nil {
		return err
	}
	return ask(c)
}

// program copies the test binary to where every user may run it.
func program(t testing.TB, name string) string {
	t.Helper()
	self, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	path := filepath.Join(socketDir(t), name)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(f, self); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func childCommand(t testing.TB, program, role string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Env = append(os.Environ(), "IPC_TEST_CHILD="+role, "GORACE=atexit_sleep_ms=0")
	return cmd
}

func as(uid, gid uint32, groups ...uint32) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}}
}

// output runs a child that prints one HTTP response.
func output(t testing.TB, cmd *exec.Cmd) reply {
	t.Helper()
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if !strings.HasPrefix(string(out), "HTTP/1.1") {
		t.Fatalf("child: %s", out)
	}
	return parseReply(t, out)
}
