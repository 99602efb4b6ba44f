package ratelimit

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/assertd/assertd/internal/fleetbudget"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// daemonOf starts a limiter of a fleet, and stops it when the test ends.
func daemonOf(t *testing.T, server *storetest.Server, hostShare bool, budgets ...Budget) *Limiter {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: server.Address, Protocol: 2, DisableIdentity: true, MaxRetries: -1, DialerRetries: 1, ContextTimeoutEnabled: true, ReadTimeout: -1,
	})
	l, err := NewInFleet(budgets, fleetbudget.Options{
		Store: fleetbudget.NewServer(client), Prefix: "test", Deadline: 5 * time.Second, Now: fleetbudget.BootClock, Logger: logging.Discard,
	}, hostShare)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- l.Share(ctx) }()
	t.Cleanup(func() { cancel(); <-ended; client.Close() })
	return l
}

func awaitState(t *testing.T, l *Limiter, state ipc.SharedState) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); l.Fleet().State != state; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%+v, not %s", l.Fleet(), state)
		}
	}
}

// shareAll takes one from budgets, with their windows of the fleet.
func shareAll(l *Limiter, names ...string) (*Taken, error) {
	taken, err := l.Take(time.Now(), 1, names...)
	if err != nil {
		return nil, err
	}
	return taken, taken.Share(context.Background())
}

// TestFleetSharesWindow takes a limit from two daemons, and gives some back.
func TestFleetSharesWindow(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	window := rate.Window{Limit: 6, Per: time.Hour, Fleet: true}
	one := daemonOf(t, server, false, Budget{"b", []rate.Window{window, {Limit: 4, Per: time.Minute}}})
	other := daemonOf(t, server, false, Budget{"b", []rate.Window{window}})
	awaitState(t, one, ipc.BudgetsShared)
	awaitState(t, other, ipc.BudgetsShared)
	var taken []*Taken
	for range 4 {
		last, err := shareAll(one, "b")
		if err != nil {
			t.Fatal(err)
		}
		taken = append(taken, last)
	}
	var exceeded *Exceeded
	if _, err := shareAll(one, "b"); !errors.As(err, &exceeded) || exceeded.Window.Fleet {
		t.Fatalf("the host's window: %v", err)
	}
	for range 2 {
		if _, err := shareAll(other, "b"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := shareAll(other, "b"); !errors.As(err, &exceeded) || !exceeded.Window.Fleet || exceeded.RetryAfter < 30*time.Minute {
		t.Fatalf("the fleet's window: %v", err)
	}
	taken[0].Refund(time.Now())
	taken[0].Refund(time.Now())
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := shareAll(other, "b"); err == nil {
			break
		} else if time.Now().After(deadline) {
			t.Fatalf("what was given back can't be taken: %v", err)
		}
	}
	if left := one.Left(time.Now(), "b"); left[0].Remaining != 3 {
		t.Errorf("%d left after 3 of 6", left[0].Remaining)
	}
}

// TestFleetWithoutStore refuses, or uses the host's share, once the store is
// away.
func TestFleetWithoutStore(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	windows := []rate.Window{{Limit: 10, Per: time.Hour, Fleet: true}, {Limit: 60, Per: 24 * time.Hour, Burst: 8, Fleet: true}}
	refusing, sharing := daemonOf(t, server, false, Budget{"b", windows}), daemonOf(t, server, true, Budget{"b", windows})
	for _, l := range []*Limiter{refusing, sharing} {
		awaitState(t, l, ipc.BudgetsShared)
	}
	for deadline := time.Now().Add(time.Minute); sharing.Fleet().Daemons != 2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the daemons don't know each other")
		}
	}
	if _, err := shareAll(sharing, "b"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	awaitState(t, refusing, ipc.BudgetsAway)
	awaitState(t, sharing, ipc.BudgetsAway)
	var away *Unavailable
	if _, err := shareAll(refusing, "b"); !errors.Is(err, ErrUnavailable) || !errors.As(err, &away) || away.RetryAfter <= 0 {
		t.Errorf("refuse: %v", err)
	}
	if left := refusing.Left(time.Now(), "b"); left[0].Remaining != 10 {
		t.Errorf("a refused request spent something: %+v", left)
	}
	for i := range 3 { // with the one before, half of the burst
		if _, err := shareAll(sharing, "b"); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
	}
	var exceeded *Exceeded
	if _, err := shareAll(sharing, "b"); !errors.As(err, &exceeded) || exceeded.Window.Burst != 4 {
		t.Errorf("more than the share: %v", err)
	}
	// The store hears of all four.
	server.Restart()
	awaitState(t, sharing, ipc.BudgetsShared)
	awaitState(t, refusing, ipc.BudgetsShared)
	allowed := 0
	for range 20 {
		if _, err := shareAll(refusing, "b"); err == nil {
			allowed++
		} else if !errors.Is(err, ErrExceeded) {
			t.Fatal(err)
		}
	}
	if allowed > 4 {
		t.Errorf("%d allowed after 4 of a burst of 8", allowed)
	}
}

// TestShareBeginsWithWhatWasUsed has requests wait while the store goes away.
// They count once.
func TestShareBeginsWithWhatWasUsed(t *testing.T) {
	t.Parallel()
	server := storetest.Start(t, "")
	l := daemonOf(t, server, true, Budget{"b", []rate.Window{{Limit: 10, Per: 24 * time.Hour, Fleet: true}}})
	awaitState(t, l, ipc.BudgetsShared)
	if _, err := shareAll(l, "b"); err != nil {
		t.Fatal(err)
	}
	server.Kill()
	awaitState(t, l, ipc.BudgetsAway)
	var waiting []*Taken
	for range 8 {
		taken, err := l.Take(time.Now(), 1, "b")
		if err != nil {
			t.Fatal(err)
		}
		waiting = append(waiting, taken)
	}
	waiting[0].Refund(time.Now())
	for i, taken := range waiting[1:] {
		if err := taken.Share(t.Context()); err != nil {
			t.Errorf("request %d: %v", i, err)
		}
	}
	for range 2 {
		if _, err := shareAll(l, "b"); err != nil {
			t.Error(err)
		}
	}
	if _, err := shareAll(l, "b"); !errors.As(err, new(*Exceeded)) {
		t.Errorf("more than the share: %v", err)
	}
}

// TestFleetNeedsStore refuses to make a window of a fleet without one.
func TestFleetNeedsStore(t *testing.T) {
	if _, err := New([]Budget{{"b", []rate.Window{{Limit: 1, Per: time.Second, Fleet: true}}}}); !errors.Is(err, ErrInvalid) {
		t.Error(err)
	}
}
