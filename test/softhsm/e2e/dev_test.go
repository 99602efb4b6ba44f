package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
)

// startDev runs `assertd dev` until the test ends and returns its directory and
// a client of it.
func startDev(t *testing.T) (dir string, c *client.Client) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "dev")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	daemon := exec.Command(filepath.Join(binaries, "assertd"), "dev", "--dir", dir)
	daemon.Stdout, daemon.Stderr = log, log
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = daemon.Process.Signal(syscall.SIGTERM)
		err := daemon.Wait()
		log.Close()
		if text, _ := os.ReadFile(log.Name()); err != nil || t.Failed() {
			t.Logf("the daemon ended with %v and said:\n%s", err, text)
		}
	})
	if c, err = client.New(filepath.Join(dir, "assertd.sock")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		ready, err := c.Ready(t.Context())
		if err == nil && ready.Ready {
			return dir, c
		}
		if time.Now().After(end) {
			t.Fatalf("not ready: %+v, %v", ready, err)
		}
	}
}
