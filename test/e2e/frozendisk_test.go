package e2e

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/frozendisk"
)

// TestFrozenDisk freezes the disk of the budgets and of the JWKS under load,
// while both have something to write. No request fails or waits, and the daemon
// stops in time.
func TestFrozenDisk(t *testing.T) {
	disk := frozendisk.New(t)
	if disk == nil {
		t.Log("can't mount a disk; see TestWriterGivesUp in internal/atomicfile, and the tests of hung disks in jwks and internal/ratelimit")
		return
	}
	s := newSite(t)
	s.writeTo(disk.Dir)
	process := s.serve()
	l := s.newLoad(4)
	eventually(t, "assertions", func() bool { return l.released.Load() > 100 })

	disk.Freeze(t)
	s.assertd("key", "generate", "dev", "--config", s.layout.Config)
	check(t, process.Process.Signal(syscall.SIGHUP))
	eventually(t, "both files are being written", func() bool { return len(childrenThat(t, process.Process.Pid, "write-file")) == 2 })
	before := l.released.Load()
	eventually(t, "more assertions", func() bool { return l.released.Load() > before+300 })
	l.end()
	s.freezesOnFrozenDisk()
	if len(l.refused) > 0 {
		t.Errorf("refused: %v", l.refused)
	}

	began := time.Now()
	check(t, process.Process.Signal(syscall.SIGTERM))
	check(t, process.Wait())
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("the daemon stopped after %v", took)
	}
	log, err := os.ReadFile(filepath.Join(s.layout.Dir, "log"))
	check(t, err)
	for _, line := range []string{"[ERROR] assertd: budgets not saved", "[ERROR] assertd: jwks file not written"} {
		if !strings.Contains(string(log), line) {
			t.Errorf("the log does not say %q:\n%s", line, log)
		}
	}
	disk.Thaw(t)
	s.serve()
	s.recorded(l.jtis)
}

// freezesOnFrozenDisk freezes everything while the file of that can't be
// written. It is in force, and the operator is told.
func (s *site) freezesOnFrozenDisk() {
	s.t.Helper()
	operator, err := client.NewOperator(s.layout.Operator)
	check(s.t, err)
	defer operator.Close()
	response, err := operator.Freeze(s.t.Context(), ipc.FreezeRequest{FreezeTarget: ipc.FreezeTarget{All: true}, Reason: "a test"})
	check(s.t, err)
	if len(response.Warnings) != 1 || !strings.Contains(response.Warnings[0], "is not saved yet") {
		s.t.Errorf("warnings %q", response.Warnings)
	}
	caller, err := client.New(s.layout.Socket)
	check(s.t, err)
	defer caller.Close()
	if _, err := caller.Assert(s.t.Context(), ipc.AssertionRequest{}); !errors.Is(err, ipc.CodeFrozen) {
		s.t.Errorf("error %v", err)
	}
}

// writeTo makes the daemon save budgets and publish keys to a directory.
func (s *site) writeTo(dir string) {
	s.t.Helper()
	text, err := os.ReadFile(s.layout.Config)
	check(s.t, err)
	config := strings.Replace(string(text), "        client_id: example-client\n", "        client_id: example-client\n        rate: [{limit: 1000000, per: 24h}]\n", 1)
	config += fmt.Sprintf("budgets: {file: %q}\njwks: {file: %q}\n", filepath.Join(dir, "budgets"), filepath.Join(dir, "jwks.json"))
	check(s.t, os.WriteFile(s.layout.Config, []byte(config), 0o600))
}
