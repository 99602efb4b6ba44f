package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A start in which a key set can't sign is a start: systemd gets READY=1, and
// the status says which key set it is for as long as that lasts.
func TestSystemdStatusNamesKeySetsThatCannotSign(t *testing.T) {
	s := newSite(t)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	check(t, err)
	defer manager.Close()
	check(t, manager.SetReadDeadline(time.Now().Add(time.Minute)))
	receive := func(wanted ...string) { // in any order
		t.Helper()
		var received []string
		for message := make([]byte, 4096); len(wanted) > 0; {
			n, err := manager.Read(message)
			if err != nil {
				t.Fatalf("%v; want %q, received %q", err, wanted, received)
			}
			received = append(received, string(message[:n]))
			wanted = slices.DeleteFunc(wanted, func(want string) bool { return want == received[len(received)-1] })
		}
	}
	s.configure("\nclients:", "\n  later: {alg: ES256, use: assertion}\n\nclients:\n  - {name: later, match: {uid: 4711}, grants: "+
		"[{name: later, key: later, profile: private_key_jwt, client_id: later, audiences: [\"https://as.example\"]}]}")
	process := s.serveWith(func(daemon *exec.Cmd) error {
		daemon.Env = append(os.Environ(), "NOTIFY_SOCKET="+manager.LocalAddr().String())
		return daemon.Start()
	})
	receive("STATUS=ready; can't sign with key set later", "READY=1")
	s.assertd("key", "generate", "later", "--config", s.layout.Config)
	check(t, process.Process.Signal(syscall.SIGHUP))
	receive("READY=1", "STATUS=ready")

	check(t, os.WriteFile(s.layout.Config, []byte("no configuration"), 0o600))
	check(t, process.Process.Signal(syscall.SIGHUP))
	receive("STATUS=ready; the last reload was refused, see the log")
	if log, err := os.ReadFile(filepath.Join(s.layout.Dir, "log")); err != nil || strings.Contains(string(log), "notify the service manager") {
		t.Errorf("%v %s", err, log)
	}
}
