package signer

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

const (
	// healthWidth is how many key sets are tried at a time, so that a token
	// that hangs does not hold up the others.
	healthWidth = 8
	// reproveAfter is how long a key that failed its proof is left alone. A key
	// that makes bad signatures costs two workers at each attempt.
	reproveAfter = 10 * time.Minute
)

// Health knows which key sets can sign: each as of the last signature that was
// made and verified with it for this purpose. Opening sessions or reading token
// information proves nothing of an HSM. It is safe for concurrent use.
type Health struct {
	hsm    HSM
	keys   *keyset.Active
	now    func() time.Time
	logger logging.Logger

	checking sync.Mutex   // held during a Check
	changes  atomic.Int64 // of refused
	mu       sync.Mutex
	last     map[string]error      // by key set; nil before the first Check
	proved   map[keyset.Proof]bool // those that succeeded
	refused  map[keyset.Proof]rejected
}

// rejected is a proof that failed.
type rejected struct {
	key   keyset.Key
	cause error
	until time.Time // it is not tried again before
}

// NewHealth makes a Health that knows nothing yet.
func NewHealth(hsm HSM, keys *keyset.Active, now func() time.Time, logger logging.Logger) *Health {
	return &Health{
		hsm: hsm, keys: keys, now: now, logger: logger,
		proved: make(map[keyset.Proof]bool), refused: make(map[keyset.Proof]rejected),
	}
}

// Check makes and verifies a signature with the version of each key set that
// signs, and once with each version that will. It returns true if Refused has
// changed: then the ring must be made anew, and checked.
func (h *Health) Check(ctx context.Context, sets []string) (changed bool) {
	h.checking.Lock()
	defer h.checking.Unlock()
	before := h.changes.Load()
	h.reprove(ctx)
	outcomes := make([]error, len(sets))
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(healthWidth, len(sets)) {
		all.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(sets)); i = next.Add(1) - 1 {
				outcomes[i] = h.checkSet(ctx, sets[i])
			}
		})
	}
	all.Wait()
	if h.changes.Load() != before {
		return true
	}
	h.store(sets, outcomes)
	return false
}

// checkSet returns why a set can't sign. A check that was cut short proves
// nothing, and the outcome of the last one stays.
func (h *Health) checkSet(ctx context.Context, set string) error {
	for _, key := range h.keys.Ring().Coming(set) {
		if !h.hasSigned(key) {
			h.prove(ctx, key) // its turn to sign has not come, so the set signs either way
		}
	}
	key, err := h.keys.SigningKey(set)
	if err == nil {
		err = h.prove(ctx, key)
	}
	if ctx.Err() != nil {
		return h.outcome(set)
	}
	return err
}

// prove makes a signature with a key. A key that can't make one is refused,
// unless it could before: then its token is at fault, and an older version
// would be no better.
func (h *Health) prove(ctx context.Context, key keyset.Key) error {
	err := Prove(ctx, h.hsm, key)
	h.mu.Lock()
	defer h.mu.Unlock()
	proof := key.Proof()
	_, refused := h.refused[proof]
	switch {
	case err == nil:
		h.proved[proof] = true
		delete(h.refused, proof)
		if refused {
			h.changes.Add(1)
		}
	case refused:
		h.refused[proof] = rejected{key, err, h.now().Add(reproveAfter)}
	case errors.Is(err, ErrUnfit) && !h.proved[proof]:
		h.refused[proof] = rejected{key, err, h.now().Add(reproveAfter)}
		h.changes.Add(1)
	}
	return err
}

// reprove tries the refused keys again whose time has come.
func (h *Health) reprove(ctx context.Context) {
	h.mu.Lock()
	refused := maps.Clone(h.refused)
	h.mu.Unlock()
	for _, r := range refused {
		if !h.now().Before(r.until) {
			h.prove(ctx, r.key)
		}
	}
}

func (h *Health) hasSigned(key keyset.Key) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.proved[key.Proof()]
}

func (h *Health) outcome(set string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.last[set]
}

// store replaces the outcomes and logs what is new.
func (h *Health) store(sets []string, outcomes []error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	last := make(map[string]error, len(sets))
	for i, set := range sets {
		last[set] = outcomes[i]
		switch err := outcomes[i]; {
		case err != nil && h.last[set] == nil:
			h.logger.Error("a key set can't sign", "key", set, "error", err)
		case err == nil && h.last[set] != nil:
			h.logger.Info("a key set can sign again", "key", set)
		}
	}
	h.last = last
}

// Refused returns the proofs that failed, and why.
func (h *Health) Refused() map[keyset.Proof]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	refused := make(map[keyset.Proof]string, len(h.refused))
	for proof, r := range h.refused {
		refused[proof] = r.cause.Error()
	}
	return refused
}

// Retry has the next Check try the keys that failed their proof: an operator
// may have changed what their token allows.
func (h *Health) Retry() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for proof, r := range h.refused {
		r.until = time.Time{}
		h.refused[proof] = r
	}
}

// Healthy reports whether every key set could sign at the last Check.
func (h *Health) Healthy() bool { return len(h.failures()) == 0 }

func (h *Health) failures() map[string]error {
	h.mu.Lock()
	defer h.mu.Unlock()
	failures := maps.Clone(h.last)
	maps.DeleteFunc(failures, func(_ string, err error) bool { return err == nil })
	return failures
}

// Ready says which key sets can't sign. The daemon is ready if one of them can,
// or if none is in use.
func (h *Health) Ready() ipc.ReadyResponse {
	h.mu.Lock()
	checked, all := h.last != nil, len(h.last)
	h.mu.Unlock()
	if !checked {
		return ipc.ReadyResponse{Reason: ipc.ReasonStarting, Detail: "No signature has been made yet."}
	}
	failures := h.failures()
	response := ipc.ReadyResponse{Ready: len(failures) < all || all == 0}
	for _, set := range slices.Sorted(maps.Keys(failures)) {
		response.Degraded = append(response.Degraded, degraded(set, failures[set]))
	}
	if !response.Ready {
		response.Reason, response.Detail = ipc.ReasonKeyNotAvailable, "No key set has a version that can sign now."
		if slices.ContainsFunc(response.Degraded, func(d ipc.DegradedKey) bool { return d.Reason == ipc.ReasonHSMUnavailable }) {
			response.Reason, response.Detail = ipc.ReasonHSMUnavailable, "The HSM does not sign now."
		}
	}
	return response
}

// degraded says what callers of the key set get.
func degraded(set string, err error) ipc.DegradedKey {
	d := ipc.DegradedKey{Key: set, Reason: ipc.ReasonHSMUnavailable, Detail: "The HSM does not sign with it now."}
	if problem, _ := classify(err); problem != nil && problem.Code == ipc.CodeKeyNotAvailable {
		d.Reason, d.Detail = ipc.ReasonKeyNotAvailable, problem.Detail
	}
	return d
}
