package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/test/softhsm"
)

// Exit code 4 stops a service manager's attempts, so it is left for when every
// token refused its PIN: at the start, and with every command that reads the
// tokens.
func TestExitCodeOfRefusedPINs(t *testing.T) {
	near := softhsm.New(t)
	far := near.Add("far")
	wrong := filepath.Join(t.TempDir(), "pin")
	check(t, os.WriteFile(wrong, []byte("wrong-pin\n"), 0o600))
	token := func(name string, k *softhsm.Token, module, pin string) string {
		return fmt.Sprintf("    - {name: %s, module: %s, label: %s, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s}}\n", name, module, k.Label, pin, k.ConfFile)
	}
	refused := token("near", near, near.Module, wrong)
	for _, row := range []struct {
		name, other string
		code        int
		serves      bool
	}{
		{"the other's module is missing", token("far", far, "/nonexistent/module.so", far.PINFile()), 1, true},
		{"the other can be used", token("far", far, far.Module, far.PINFile()), 1, true},
		{"the other refuses too", token("far", far, far.Module, wrong), 4, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			dir, err := os.MkdirTemp("", "exit") // a socket's path is short
			check(t, err)
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			file := filepath.Join(dir, "assertd.yaml")
			check(t, os.WriteFile(file, fmt.Appendf(nil, "hsm:\n  workers: 1\n  tokens:\n%s%skeys: {one: {alg: ES256, use: assertion}}\n"+
				"clients:\n  - {name: me, match: {uid: %d}, grants: [{name: one, key: one, profile: private_key_jwt, client_id: me, audiences: [\"https://as.example\"]}]}\n"+
				"listen: [{socket: %q}]\naudit: {required: false}\n", refused, row.other, os.Getuid(), filepath.Join(dir, "s")), 0o600))
			for _, command := range [][]string{{"check"}, {"jwks"}} {
				out, err := assertd(append(command, "--config", file)...)
				if code := exitCode(err); code != row.code {
					t.Errorf("%s exited with %d, want %d: %s", command, code, row.code, out)
				}
			}
			out, err := assertd("key", "list", "--config", file)
			if code := exitCode(err); code != 4 { // it uses the first token and no other
				t.Errorf("key list exited with %d: %s", code, out)
			}
			if code, served := serveUntilReady(t, file, filepath.Join(dir, "s")); served != row.serves || !served && code != 4 {
				t.Errorf("serve: served is %t, exit code %d", served, code)
			}
		})
	}
}

// serveUntilReady runs a daemon until it answers callers or exits.
func serveUntilReady(t *testing.T, file, socket string) (code int, served bool) {
	t.Helper()
	daemon := exec.Command(filepath.Join(binaries, "assertd"), "serve", "--config", file)
	check(t, daemon.Start())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Wait() }()
	c, err := client.New(socket)
	check(t, err)
	defer c.Close()
	for {
		select {
		case err := <-ended:
			return exitCode(err), served
		case <-time.After(20 * time.Millisecond):
		}
		if _, err := c.Ready(t.Context()); err == nil && !served {
			served = true
			check(t, daemon.Process.Signal(syscall.SIGTERM))
		}
	}
}

func assertd(args ...string) (string, error) {
	out, err := exec.Command(filepath.Join(binaries, "assertd"), args...).CombinedOutput()
	return string(out), err
}

func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}
