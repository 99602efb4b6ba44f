package fleetbudget

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// patientDeadline is for machines that are busy with other tests.
const patientDeadline = 3 * time.Second

// fleet is daemons on one store, and what the receivers of their work count.
type fleet struct {
	t       *testing.T
	client  atomic.Pointer[redis.Client]
	budgets []rate.Window
	start   time.Time

	mu    sync.Mutex
	seen  [][]event // by budget
	hosts []*host
	ended sync.WaitGroup
}

// event is a use, at some time from before to after.
type event struct {
	before, after time.Duration
	host          int
}

// host is a daemon: its agent, its callers, and what it remembers.
type host struct {
	fleet   *fleet
	number  int
	agent   *Agent
	windows []*Window
	cut     atomic.Bool // from the store
	stop    context.CancelFunc

	mu   sync.Mutex
	uses [][]time.Duration // by budget
}

func newFleet(t *testing.T, server *storetest.Server, hosts int, budgets ...rate.Window) *fleet {
	f := &fleet{t: t, budgets: budgets, start: time.Now(), seen: make([][]event, len(budgets))}
	f.use(server)
	for range hosts {
		f.add()
	}
	t.Cleanup(f.end)
	return f
}

// use has all daemons talk to a server.
func (f *fleet) use(server *storetest.Server) {
	client := connect(server)
	f.t.Cleanup(func() { client.Close() })
	f.client.Store(client)
}

// add starts a daemon whose clock is minutes from the others', and whose
// callers want more than all limits.
func (f *fleet) add() *host {
	h := &host{fleet: f, number: len(f.hosts), uses: make([][]time.Duration, len(f.budgets))}
	f.hosts = append(f.hosts, h)
	h.agent = New(Options{
		Store: h, Prefix: "test", Daemon: fmt.Sprint("host", h.number), Deadline: patientDeadline, Shortest: testShortest, Reporting: testReporting, Memory: h, Logger: logging.Discard,
		Now: func() time.Duration { return time.Since(f.start) + time.Duration(h.number+1)*7*time.Minute },
	})
	for i, w := range f.budgets {
		h.windows = append(h.windows, h.agent.Book().Window(fmt.Sprint(i), w))
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.stop = cancel
	f.ended.Go(func() { h.agent.Run(ctx) })
	for i := range f.budgets {
		f.ended.Go(func() { h.work(ctx, i) })
	}
	return h
}

// kill ends a daemon as a crash would: it gives nothing back.
func (h *host) kill() {
	h.cut.Store(true)
	h.stop()
}

func (f *fleet) end() {
	for _, h := range f.hosts {
		h.stop()
	}
	f.ended.Wait()
}

// Run is the way to the store.
func (h *host) Run(ctx context.Context, keys []string, args []any) (any, error) {
	if h.cut.Load() {
		return nil, errors.New("cut off")
	}
	return NewServer(h.fleet.client.Load()).Run(ctx, keys, args)
}

// work takes from a budget, a few hundred times a second at most.
func (h *host) work(ctx context.Context, budget int) {
	for ctx.Err() == nil {
		h.take(ctx, budget)
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// take remembers the use first, as a limiter does.
func (h *host) take(ctx context.Context, budget int) {
	before := time.Since(h.fleet.start)
	h.mu.Lock()
	h.uses[budget] = append(h.uses[budget], before)
	h.mu.Unlock()
	_, err := h.agent.Take(ctx, 1, h.windows[budget:budget+1])
	if err != nil {
		h.mu.Lock()
		i := slices.Index(h.uses[budget], before)
		h.uses[budget] = slices.Delete(h.uses[budget], i, i+1)
		h.mu.Unlock()
		return
	}
	f := h.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[budget] = append(f.seen[budget], event{before, time.Since(f.start), h.number})
}

// Spent is the memory of what was used.
func (h *host) Spent(budget string, per time.Duration) (uses []Use) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Since(h.fleet.start)
	var i int
	fmt.Sscan(budget, &i)
	for _, at := range h.uses[i] {
		if now-at < per {
			uses = append(uses, Use{Age: now - at, Count: 1})
		}
	}
	return uses
}

// count is how many uses the receivers saw.
func (f *fleet) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, events := range f.seen {
		n += len(events)
	}
	return n
}

// flows waits until the fleet uses more.
func (f *fleet) flows() {
	f.t.Helper()
	before := f.count()
	f.until("the fleet uses nothing", func() bool { return f.count() > before+len(f.hosts) })
}

// uses waits until the fleet has used n more of a budget. If that is more than
// the limit, its window has moved on.
func (f *fleet) uses(budget, n int) {
	f.t.Helper()
	n += f.countOf(budget, nil)
	f.until("the fleet doesn't go on", func() bool { return f.countOf(budget, nil) >= n })
}

// countOf is how much of a budget a host used, or all hosts.
func (f *fleet) countOf(budget int, by *host) (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, e := range f.seen[budget] {
		if by == nil || e.host == by.number {
			n++
		}
	}
	return n
}

func (f *fleet) until(problem string, done func() bool) {
	f.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			f.t.Fatal(problem)
		}
	}
}

// all waits until all daemons that run are in a state.
func (f *fleet) all(state ipc.SharedState) {
	f.t.Helper()
	f.until("not all daemons are "+string(state), func() bool {
		return !slices.ContainsFunc(f.hosts, func(h *host) bool { return !h.cut.Load() && h.agent.Status().State != state })
	})
}

// check counts at the receivers: in no period can the fleet have used more than
// the limit and what is allowed beyond it. A use counts if all of the time in
// which it may have happened is in the period.
func (f *fleet) check(beyond func(budget int) int) {
	f.t.Helper()
	f.end()
	for i, w := range f.budgets {
		events := f.seen[i]
		slices.SortFunc(events, func(a, b event) int { return cmp.Compare(a.before, b.before) })
		allowed, most := w.Limit+w.Burst, 0
		for j, first := range events {
			n := 0
			for _, e := range events[j:] {
				if e.before >= first.before+w.Per {
					break
				}
				if e.after < first.before+w.Per {
					n++
				}
			}
			most = max(most, n)
		}
		f.t.Logf("budget of %v: %d used, at most %d in a period", w, len(events), most)
		if extra := beyond(i); most > allowed+extra {
			f.t.Errorf("budget of %v: %d in a period; at most %d allowed, and %d more", w, most, allowed, extra)
		}
	}
}

func nothing(int) int { return 0 }

// Windows of ten seconds are leased too, so that a test sees their ends. And
// daemons report even if the machine is too busy to run them for seconds.
const (
	testShortest  = 10 * time.Second
	testReporting = 15 * time.Second
)

var testBudgets = []rate.Window{
	{Limit: 400, Per: 10 * time.Second},
	{Limit: 2000, Per: 10 * time.Second},
	{Limit: 600, Per: 10 * time.Second, Burst: 300},
	{Limit: 25, Per: 2 * time.Second},
}

func TestFleet(t *testing.T) {
	t.Parallel()
	f := newFleet(t, storetest.Start(t, ""), 20, testBudgets...)
	f.flows()
	for _, h := range f.hosts[:5] {
		h.kill()
	}
	f.add()
	f.flows()
	f.uses(0, 450)
	f.check(nothing)
}

func TestStoreStops(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	f := newFleet(t, server, 8, testBudgets...)
	f.flows()
	server.Pause()
	f.all(ipc.BudgetsAway)
	server.Resume()
	f.all(ipc.BudgetsShared)
	f.flows()
	f.uses(3, 75)
	f.check(nothing)
}

// restart kills the store and starts it empty, until the daemons share it
// again.
func (f *fleet) restart(server *storetest.Server) {
	f.t.Helper()
	server.Kill()
	f.all(ipc.BudgetsAway)
	server.Restart()
	f.all(ipc.BudgetsShared)
	f.flows()
}

func TestStoreRestartsEmpty(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	f := newFleet(t, server, 8, testBudgets...)
	f.flows()
	f.restart(server)
	f.uses(3, 75)
	f.check(nothing)
}

// TestStoreLosesDeadDaemon is the one case in which a limit is passed: the
// store forgets, and so does a daemon. It is passed by no more than what that
// daemon had used.
func TestStoreLosesDeadDaemon(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	f := newFleet(t, server, 4, testBudgets...)
	f.flows()
	dead := f.hosts[0]
	f.until("the daemon that dies uses nothing", func() bool { return f.countOf(0, dead) > 0 && f.countOf(1, dead) > 0 })
	dead.kill()
	f.restart(server)
	f.uses(3, 75)
	f.check(func(budget int) int { return f.countOf(budget, dead) })
}

// TestReplicaLosesWrites promotes a replica that doesn't have the last leases.
func TestReplicaLosesWrites(t *testing.T) {
	t.Parallel()
	primary, replica := storetest.Start(t, ""), storetest.Start(t, "")
	follow(t, replica, primary)
	f := newFleet(t, primary, 8, testBudgets...)
	f.flows()
	promote(t, replica)
	f.flows() // on the primary: what the replica doesn't see
	primary.Kill()
	f.all(ipc.BudgetsAway)
	f.use(replica)
	f.all(ipc.BudgetsShared)
	f.flows()
	f.uses(3, 75)
	f.check(nothing)
}

func connect(server *storetest.Server) *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: server.Address, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, ReadTimeout: -1,
	})
}

// follow makes a server a replica of another, and waits until it has its data.
func follow(t *testing.T, replica, primary *storetest.Server) {
	t.Helper()
	host, port, _ := net.SplitHostPort(primary.Address)
	client := connect(replica)
	defer client.Close()
	if err := client.ReplicaOf(context.Background(), host, port).Err(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if info := client.Info(context.Background(), "replication").Val(); strings.Contains(info, "master_link_status:up") {
			return
		}
	}
	t.Fatal("the replica didn't connect")
}

// promote makes a replica the primary.
func promote(t *testing.T, replica *storetest.Server) {
	t.Helper()
	client := connect(replica)
	defer client.Close()
	if err := client.ReplicaOf(context.Background(), "NO", "ONE").Err(); err != nil {
		t.Fatal(err)
	}
}
