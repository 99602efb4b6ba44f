package e2e

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// Callers with idle connections notice a restart of the daemon only by a new
// connection. No request is lost, and the audit log has one record for each.
func TestRestartLosesNoRequest(t *testing.T) {
	s := newSite(t)
	c, err := client.New(s.layout.Socket)
	check(t, err)
	defer c.Close()
	const callers = 16
	requests := 0
	for range 3 {
		process := s.launch((*exec.Cmd).Start)
		s.awaitReady()
		for range 2 { // the first round after a restart finds only dead connections
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					if _, err := c.Assert(t.Context(), ipc.AssertionRequest{Grant: "example"}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			requests += callers
		}
		check(t, process.Process.Signal(syscall.SIGTERM))
		check(t, process.Wait())
	}
	text, err := os.ReadFile(s.log)
	check(t, err)
	if got := strings.Count(string(text), `"grant":"example"`); got != requests {
		t.Errorf("%d assertions on record for %d requests", got, requests)
	}
}
