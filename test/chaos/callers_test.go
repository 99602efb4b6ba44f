package chaos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

const (
	// callersEach is how many callers a client has.
	callersEach = 8
	// pause is what a caller does between two requests.
	pause = 20 * time.Millisecond
	// callTimeout is when a caller gives up. The daemon must answer before.
	callTimeout = 20 * time.Second
	// quiet is how long no request may fail until a client counts as recovered.
	quiet = time.Second
)

// callers ask for assertions, over and over, as one client.
type callers struct {
	client *client.Client
	stop   context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	expected []ipc.Code
	tally    tally
	healed   time.Time              // when the last fault ended
	served   [callersEach]time.Time // when each caller was first served since then, and since the last failure
}

// tally counts requests by their outcome.
type tally struct {
	requests, ok, refused, unexpected int
	retried                           int      // refused, and then asked again by the SDK
	examples                          []string // of unexpected outcomes
}

// newCallers starts the callers of a client. They stop with the test at the
// latest.
func (s *site) newCallers(name string) *callers {
	s.t.Helper()
	sdk, err := client.New(s.path(name + ".sock"))
	check(s.t, err)
	ctx, stop := context.WithCancel(context.Background())
	c := &callers{client: sdk, stop: stop}
	for i := range callersEach {
		c.done.Go(func() { c.call(ctx, i) })
	}
	s.t.Cleanup(c.end)
	return c
}

func (c *callers) end() {
	c.stop()
	c.done.Wait()
	c.client.Close()
}

func (c *callers) call(ctx context.Context, i int) {
	for tick := time.NewTicker(pause); ctx.Err() == nil; <-tick.C {
		began := time.Now()
		within, cancel := context.WithTimeout(ctx, callTimeout)
		_, err := c.client.Assert(within, ipc.AssertionRequest{})
		cancel()
		if ctx.Err() == nil {
			c.note(i, began, err)
		}
	}
}

// note counts a request that caller i made.
func (c *callers) note(i int, began time.Time, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally.requests++
	if err == nil {
		c.tally.ok++
		if began.After(c.healed) && c.served[i].IsZero() {
			c.served[i] = time.Now()
		}
		return
	}
	c.served = [callersEach]time.Time{}
	for _, code := range c.expected {
		if errors.Is(err, code) {
			c.tally.refused++
			return
		}
	}
	c.tally.unexpected++
	if len(c.tally.examples) < 3 {
		c.tally.examples = append(c.tally.examples, fmt.Sprintf("after %v: %v", time.Since(began).Round(time.Millisecond), err))
	}
}

func (t *tally) add(other tally) {
	t.requests += other.requests
	t.ok += other.ok
	t.refused += other.refused
	t.unexpected += other.unexpected
	t.retried += other.retried
}

// begin starts a new tally, in which only these codes are expected.
func (c *callers) begin(expected []ipc.Code) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expected, c.tally = expected, tally{}
}

func (c *callers) counted() tally {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.tally
}

// heal starts to measure the recovery.
func (c *callers) heal() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.healed, c.served = time.Now(), [callersEach]time.Time{}
}

// recovered returns how long it took until every caller was served, once no
// request has failed for a while since.
func (c *callers) recovered() (time.Duration, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := c.served[0]
	for _, at := range c.served {
		if at.IsZero() {
			return 0, false
		}
		if at.After(last) {
			last = at
		}
	}
	return last.Sub(c.healed), time.Since(last) >= quiet
}
