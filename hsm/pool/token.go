package pool

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/ipc"
)

// maxTokens is how many tokens a pool can have: a set of tokens is a bit mask.
const maxTokens = 64

// token is the pool's view of one token. The pool's lock guards the fields
// below the line.
type token struct {
	config    TokenConfig // PIN changes with Reset and is guarded too
	bit       uint64
	slots     []*slot
	startLock chan struct{} // holds one element; a worker that starts has taken it
	// described is what the newest worker said of the token, nil before the first.
	described atomic.Pointer[wire.TokenDescription]

	ready       []*worker
	lastReadyAt time.Time // when the last ready worker went
	keys        []wire.KeyInfo
	read        bool     // keys have been read at least once
	last        *listing // the last inventory that a look decoded
	failed      [][]byte // IDs of keys that failed their proof and were left on the token
	failures    int      // starts that failed since one succeeded
	lastErr     error    // of those
	pin         pinMemory
	reset       chan struct{} // closed and replaced by Reset
	latency     time.Duration // of a signature in the module, averaged over recent ones
}

func newToken(config TokenConfig, index, workers int) *token {
	t := &token{config: config, bit: 1 << index, startLock: make(chan struct{}, 1), reset: make(chan struct{})}
	t.startLock <- struct{}{}
	for place := range workers {
		state := ipc.WorkerState{Token: config.Name, Worker: place, State: ipc.WorkerStopped}
		t.slots = append(t.slots, &slot{token: t, status: ipc.WorkerStatus{WorkerState: state}})
	}
	return t
}

// lockStart takes the token's start lock: processes of one token start one
// after another. False means that ctx ended.
func (t *token) lockStart(ctx context.Context) bool {
	select {
	case <-t.startLock:
		return true
	case <-ctx.Done():
		return false
	}
}

func (t *token) unlockStart() { t.startLock <- struct{}{} }

// hidesNewKeys reports whether new keys are looked for from a new process: the
// configuration says so, or it is a quirk of the module.
func (t *token) hidesNewKeys() bool {
	described := t.described.Load()
	return t.config.ReadInNewProcess || described != nil && described.Module.HidesNewKeys
}

// quirks are for a log line: the names of the module's quirks, if it has any.
func (t *token) quirks() []any {
	described := t.described.Load()
	if described == nil || len(described.Module.Quirks) == 0 {
		return nil
	}
	var names []string
	for _, q := range described.Module.Quirks {
		names = append(names, q.Name)
	}
	return []any{"provider", described.Module.Provider, "quirks", names}
}

// failure is why the last start failed, with the token's name.
func (t *token) failure() error { return fmt.Errorf("token %q: %w", t.config.Name, t.lastErr) }

// cause is why the token has no worker: why the last start failed or, if none
// has failed yet, why the last worker exited. It is nil if neither has
// happened.
func (t *token) cause() error {
	if t.lastErr != nil {
		return t.lastErr
	}
	var last *slot
	for _, s := range t.slots {
		if s.lastErr != nil && (last == nil || s.status.Since.After(last.status.Since)) {
			last = s
		}
	}
	if last == nil {
		return nil
	}
	return last.lastErr
}

// expectsRestart reports whether a worker is likely to be ready within moments:
// the last one went less than limit ago, and no start has failed since.
func (t *token) expectsRestart(now time.Time, limit time.Duration) bool {
	return t.failures == 0 && now.Sub(t.lastReadyAt) < limit
}

// latencyShare is the weight of a new measurement in the average: one in so
// many.
const latencyShare = 8

// measured notes how long the module took over a signature.
func (t *token) measured(module time.Duration) {
	if t.latency == 0 {
		t.latency = module
	}
	t.latency += (module - t.latency) / latencyShare
}

func (p *Pool) tokenNamed(name string) *token {
	i := slices.IndexFunc(p.tokens, func(t *token) bool { return t.config.Name == name })
	if i < 0 {
		return nil
	}
	return p.tokens[i]
}

// Described returns what a worker said of each token, by name. A token that has
// had no worker yet is left out.
func (p *Pool) Described() map[string]wire.TokenDescription {
	all := make(map[string]wire.TokenDescription, len(p.tokens))
	for _, t := range p.tokens {
		if d := t.described.Load(); d != nil {
			all[t.config.Name] = *d
		}
	}
	return all
}
