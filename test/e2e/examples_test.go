package e2e

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// examples is the directory of the runnable examples.
const examples = "../../examples"

// TestExamples runs all caller examples against a real daemon, first alone and
// then with an authorization server that verifies their assertions.
func TestExamples(t *testing.T) {
	d := startDev(t)
	as := startAuthServer(t, d)
	d.reconfigure(t, "audiences: [https://as.example]", "audiences: ["+as.URL+"/token]", "example")
	programs := buildExamples(t, "go-oauth2", "go-azidentity")
	for _, row := range []struct {
		name    string
		command []string
		alone   string // its output without TOKEN_URL
		token   string // its output with TOKEN_URL
	}{
		{"curl", []string{"sh", examples + "/curl/token.sh"}, "got an assertion", `"access_token":"granted"`},
		{"python", []string{"python3", examples + "/python/token.py"}, `"iss": "example-client"`, "got a Bearer token for 600 s"},
		{"node", []string{"node", examples + "/node/token.mjs"}, `"iss": "example-client"`, "got a Bearer token for 600 s"},
		{"go-oauth2", []string{programs + "/go-oauth2"}, "got an assertion", "got a Bearer token\nthe API returned 405"},
		{"go-azidentity", []string{programs + "/go-azidentity"}, "got an assertion", "got a Bearer token\ngot a Bearer token"},
	} {
		t.Run(row.name, func(t *testing.T) {
			path, err := exec.LookPath(row.command[0])
			if err != nil {
				t.Fatalf("%v: install it (apt-get install python3 nodejs curl)", err)
			}
			t.Setenv("TOKEN_URL", "")
			os.Unsetenv("TOKEN_URL")
			if got := d.must(t, path, row.command[1:]...); !strings.Contains(got, row.alone) {
				t.Errorf("without TOKEN_URL it prints %q", got)
			}
			t.Setenv("TOKEN_URL", as.URL+"/token")
			t.Setenv("API_URL", as.URL+"/token")
			if got := d.must(t, path, row.command[1:]...); !strings.Contains(got, row.token) {
				t.Errorf("with TOKEN_URL it prints %q", got)
			}
		})
	}
}

// TestExamplesWithoutDaemon checks that the examples fail with an error
// message.
func TestExamplesWithoutDaemon(t *testing.T) {
	nowhere := &devDaemon{socket: filepath.Join(t.TempDir(), "none")}
	for _, command := range [][]string{
		{"sh", examples + "/curl/token.sh"}, {"python3", examples + "/python/token.py"}, {"node", examples + "/node/token.mjs"},
	} {
		path, err := exec.LookPath(command[0])
		if err != nil {
			t.Fatal(err)
		}
		if _, stderr, err := nowhere.run(t, path, command[1:]...); err == nil || stderr == "" || strings.Contains(stderr, "Traceback") {
			t.Errorf("%v: %v, %s", command, err, stderr)
		}
	}
}

func TestExampleMTLS(t *testing.T) {
	d := startDev(t)
	programs := buildExamples(t, "go-mtls")
	for _, key := range rawKeys {
		if got := d.must(t, programs+"/go-mtls", key); got != "the server sees payments, over TLS 1.3\n" {
			t.Errorf("%s: %q", key, got)
		}
	}
}

// TestExampleSidecar runs the unit's command with a notification socket, as
// systemd does.
func TestExampleSidecar(t *testing.T) {
	d := startDev(t)
	file := filepath.Join(t.TempDir(), "token")
	command := unitCommand(t, examples+"/systemd/payments-token.service")
	for i, word := range command {
		command[i] = map[string]string{"/usr/bin/assertctl": filepath.Join(binaries, "assertctl"), "/run/payments-token/token": file, "aws": "example"}[word]
		if command[i] == "" {
			command[i] = word
		}
	}
	notify, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer notify.Close()
	sidecar := exec.CommandContext(t.Context(), command[0], command[1:]...)
	sidecar.Env = append(os.Environ(), "ASSERTD_SOCKET="+d.socket, "NOTIFY_SOCKET="+notify.LocalAddr().String())
	if err := sidecar.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sidecar.Process.Kill(); _ = sidecar.Wait() })
	if err := notify.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	state := make([]byte, 256)
	n, err := notify.Read(state)
	if err != nil || !strings.HasPrefix(string(state[:n]), "READY=1\n") {
		t.Fatalf("notification %q, %v; want READY=1", state[:n], err)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	d.must(t, "assertctl", "verify", string(text))
}

// unitCommand returns the words of a unit's ExecStart, which has no quotes.
func unitCommand(t *testing.T, unit string) []string {
	t.Helper()
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if command, ok := strings.CutPrefix(line, "ExecStart="); ok {
			return strings.Fields(command)
		}
	}
	t.Fatalf("%s has no ExecStart", unit)
	return nil
}

// buildExamples builds Go examples and returns the directory of the programs.
func buildExamples(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		build := exec.Command("go", "build", "-o", filepath.Join(dir, name), "github.com/assertd/assertd/examples/"+name)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", name, err, out)
		}
	}
	return dir
}
