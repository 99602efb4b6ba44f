package e2e

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// fleetGrants have periods that are longer than any test, so that what the
// receivers count must stay within the limit. The deadline is for machines that
// are busy.
const (
	fleetLimit  = 320
	fleetGrants = `
      - {name: limited, key: dev, profile: private_key_jwt, client_id: limited, audiences: [https://as.example],
         rate: [{limit: 320, per: 24h, scope: fleet}]}
      - {name: leased, key: dev, profile: private_key_jwt, client_id: leased, audiences: [https://as.example],
         rate: [{limit: 3200, per: 24h, scope: fleet}]}
`
	fleetHosts = 3
)

// fleet is daemons on one token and one server, and what the receivers of their
// assertions count.
type fleet struct {
	t       *testing.T
	dir     string
	clients []*client.Client

	mu   sync.Mutex
	seen map[string]map[string]bool // IDs of assertions, by grant
}

// startFleet starts daemons that share their budgets.
func startFleet(t *testing.T, server *storetest.Server, onLoss string) *fleet {
	t.Helper()
	s := newSite(t)
	text, err := os.ReadFile(s.layout.Config)
	check(t, err)
	f := &fleet{t: t, dir: s.layout.Dir, seen: make(map[string]map[string]bool)}
	key := filepath.Join(f.dir, "fleet.key")
	check(t, os.WriteFile(key, []byte(rand.Text()+rand.Text()), 0o600))
	common := strings.Replace(string(text), "    grants:\n", "    grants:"+fleetGrants, 1)
	for i := range fleetHosts {
		check(t, os.Mkdir(f.path(i, ""), 0o700))
		config := strings.NewReplacer(s.layout.Socket, f.path(i, "assertd.sock"),
			filepath.Join(f.dir, "operator.sock"), f.path(i, "operator.sock"), s.log, f.path(i, "audit.jsonl")).Replace(common)
		config += fmt.Sprintf("budgets: {file: %q, shared: {addresses: [%q], fleet_key: {file: %q}, deadline: 5s, on_loss: %s}}\n",
			f.path(i, "budgets.json"), server.Address, key, onLoss)
		check(t, os.WriteFile(f.path(i, "assertd.yaml"), []byte(config), 0o600))
		f.start(i)
	}
	return f
}

// path is that of a host's file.
func (f *fleet) path(host int, name string) string {
	return filepath.Join(f.dir, fmt.Sprint("host", host), name)
}

// start starts a host's daemon, which the end of the test stops.
func (f *fleet) start(host int) {
	f.t.Helper()
	log, err := os.Create(f.path(host, "log"))
	check(f.t, err)
	process := exec.Command(filepath.Join(binaries, "assertd"), "serve", "--config", f.path(host, "assertd.yaml"))
	process.Stderr = log
	process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	check(f.t, process.Start())
	c, err := client.New(f.path(host, "assertd.sock"))
	check(f.t, err)
	f.clients = append(f.clients, c)
	f.t.Cleanup(func() {
		c.Close()
		_ = process.Process.Signal(syscall.SIGTERM)
		if err := process.Wait(); err != nil {
			f.t.Errorf("host %d: %v", host, err)
		}
		log.Close()
		if f.t.Failed() {
			text, _ := os.ReadFile(log.Name())
			f.t.Logf("host %d:\n%s", host, text)
		}
	})
	f.until(fmt.Sprintf("host %d isn't ready", host), func() bool {
		r, err := c.Ready(f.t.Context())
		return err == nil && r.Ready
	})
}

// assert gets an assertion, and has its receiver count it.
func (f *fleet) assert(host int, grant string) error {
	response, err := f.clients[host].Assert(f.t.Context(), ipc.AssertionRequest{Grant: grant})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.seen[grant] == nil {
		f.seen[grant] = make(map[string]bool)
	}
	f.seen[grant][response.JTI] = true
	return nil
}

// count is how many assertions of a grant the receiver has.
func (f *fleet) count(grant string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.seen[grant])
}

// drain asks a host until it refuses with a code.
func (f *fleet) drain(host int, grant string, code ipc.Code) {
	f.until(fmt.Sprintf("host %d doesn't refuse with %s", host, code), func() bool {
		for range 20 {
			if err := f.assert(host, grant); codeOf(err) == code {
				return true
			}
		}
		return false
	})
}

// drainAll has callers of all hosts want more than there is.
func (f *fleet) drainAll(grant string, code ipc.Code) {
	var callers sync.WaitGroup
	for host := range f.clients {
		for range 4 {
			callers.Go(func() { f.drain(host, grant, code) })
		}
	}
	callers.Wait()
}

func codeOf(err error) ipc.Code {
	var problem *ipc.Problem
	if errors.As(err, &problem) {
		return problem.Code
	}
	return ""
}

func (f *fleet) until(problem string, done func() bool) {
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			f.t.Error(problem)
			return
		}
	}
}

// awaitBudgets waits until all daemons are in a state and know each other.
func (f *fleet) awaitBudgets(state ipc.SharedState) {
	f.t.Helper()
	for host := range f.clients {
		operator, err := client.NewOperator(f.path(host, "operator.sock"))
		check(f.t, err)
		defer operator.Close()
		var shared *ipc.SharedBudgets
		f.until(fmt.Sprintf("the budgets of host %d are not %s", host, state), func() bool {
			status, err := operator.Status(f.t.Context())
			shared = status.SharedBudgets
			return err == nil && shared.State == state && (state != ipc.BudgetsShared || shared.Daemons == fleetHosts)
		})
	}
}

// TestFleetSharesBudgets has three daemons on one token share limits, and
// counts at the receiver: with the server, without it, and after it came back
// empty.
func TestFleetSharesBudgets(t *testing.T) {
	server := storetest.Start(t, "")
	f := startFleet(t, server, "refuse")
	f.awaitBudgets(ipc.BudgetsShared)
	f.drainAll("limited", ipc.CodeRateLimited)
	if n := f.count("limited"); n > fleetLimit || n < fleetLimit*9/10 {
		t.Errorf("the receiver has %d assertions; the fleet's limit is %d", n, fleetLimit)
	}
	for range 20 {
		check(t, f.assert(0, "leased"))
	}
	server.Kill()
	f.awaitBudgets(ipc.BudgetsAway)
	f.checkLeases()
	server.Restart()
	f.awaitBudgets(ipc.BudgetsShared)
	f.drainAll("limited", ipc.CodeRateLimited)
	if n := f.count("limited"); n > fleetLimit {
		t.Errorf("after the server lost its data, the receiver has %d assertions; the fleet's limit is %d", n, fleetLimit)
	}
	check(t, f.assert(1, "leased"))
}

// checkLeases uses up the first host's lease, without the server.
func (f *fleet) checkLeases() {
	f.t.Helper()
	before := f.count("leased")
	f.drain(0, "leased", ipc.CodeBudgetUnavailable)
	if n := f.count("leased") - before; n < 1 || n > 100 {
		f.t.Errorf("%d assertions without the server; a lease is 1 to 100", n)
	}
	var problem *ipc.Problem
	if err := f.assert(1, "leased"); !errors.As(err, &problem) || problem.Code != ipc.CodeBudgetUnavailable || problem.Status != 503 || problem.RetryAfter() <= 0 {
		f.t.Errorf("without a lease: %v", err)
	}
}

// TestFleetUsesHostShare gives each daemon its share of a limit while the
// server is away.
func TestFleetUsesHostShare(t *testing.T) {
	server := storetest.Start(t, "")
	f := startFleet(t, server, "host")
	f.awaitBudgets(ipc.BudgetsShared)
	server.Kill()
	f.awaitBudgets(ipc.BudgetsAway)
	f.drainAll("limited", ipc.CodeRateLimited)
	if n, want := f.count("limited"), fleetLimit/fleetHosts*fleetHosts; n != want {
		t.Errorf("the receiver has %d assertions; the shares of all hosts are %d", n, want)
	}
}
