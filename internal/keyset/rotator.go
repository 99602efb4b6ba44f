package keyset

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/jwks"
)

// PollInterval is how often the tokens are read for keys that others made or
// destroyed. A new key must be published for publish_before, of which this must
// be a small part; the configuration allows no less than a minute.
const PollInterval = 30 * time.Second

// Tokens is what a Rotator needs of the HSM.
type Tokens interface {
	// Refresh reads the tokens and puts a Ring of what they hold in force. It
	// fails if any token doesn't answer.
	Refresh(ctx context.Context) error
	// Generate makes a key pair for a set.
	Generate(ctx context.Context, set Set, label string) error
}

// Rotator follows the keys on the tokens: it makes the next versions or reminds
// people to, and raises the alarm when a published key is gone.
type Rotator struct {
	keys    *Active
	tokens  Tokens
	now     func() time.Time
	delay   func(most time.Duration) time.Duration // random
	logger  logging.Logger
	trigger chan struct{}

	mu   sync.Mutex
	lost map[string]map[string]bool // by set and kid

	// These belong to Run's goroutine.
	published  []jwks.Key                  // in the JWKS of an earlier run, until compared
	known      map[string]map[string]State // each set's versions at the last poll
	lastWarned map[string]time.Time        // by warning
	generated  map[string]time.Time        // the DueAt that a version was made for
}

// NewRotator makes a Rotator. published are the keys that an earlier run left
// in its JWKS file, if that is known.
func NewRotator(keys *Active, tokens Tokens, published []jwks.Key, now func() time.Time, logger logging.Logger) *Rotator {
	return &Rotator{
		keys: keys, tokens: tokens, published: published, now: now, logger: logger,
		delay: rand.N[time.Duration], trigger: make(chan struct{}, 1),
		lost: make(map[string]map[string]bool), known: make(map[string]map[string]State),
		lastWarned: make(map[string]time.Time), generated: make(map[string]time.Time),
	}
}

// Trigger makes Run poll the tokens soon.
func (r *Rotator) Trigger() {
	select {
	case r.trigger <- struct{}{}:
	default: // a poll is pending
	}
}

// Run polls the tokens until ctx ends.
func (r *Rotator) Run(ctx context.Context) error {
	ticker := time.NewTicker(PollInterval)
	defer ticker.Stop()
	for {
		r.poll(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.trigger:
		}
	}
}

// readLimit is how long ReadTokens waits for tokens that don't answer.
const readLimit = 5 * time.Second

// ReadTokens looks for keys that others generated or destroyed, before a change
// that depends on them. A token that doesn't answer in time keeps the keys that
// it had.
func (r *Rotator) ReadTokens() {
	ctx, cancel := context.WithTimeout(context.Background(), readLimit)
	defer cancel()
	if err := r.tokens.Refresh(ctx); err != nil {
		r.logger.Warn("could not read the tokens; going by the keys that are known", "error", err)
	}
}

// Plans lists the key sets by name with their schedules of this moment.
func (r *Rotator) Plans() []Plan {
	ring, plans := r.keys.Ring(), []Plan{}
	for _, set := range ring.Sets() {
		plans = append(plans, r.plan(ring, set.Name))
	}
	return plans
}

// poll reads the tokens once and does what the key sets need. Nothing is
// concluded from tokens that can't be read: a key that is not found is not
// proof that it is gone.
func (r *Rotator) poll(ctx context.Context) {
	reading, cancel := context.WithTimeout(ctx, PollInterval)
	err := r.tokens.Refresh(reading)
	cancel()
	switch {
	case ctx.Err() != nil:
		return // the daemon is stopping
	case err == nil:
		r.compare()
	default:
		r.logger.Debug("could not read the tokens", "error", err)
	}
	for _, plan := range r.Plans() {
		r.reconcile(ctx, plan, err)
	}
	r.warnCertificates()
	for _, plan := range r.Plans() {
		r.warnVersions(plan)
	}
}

// reconcile does what one key set needs. unread is why the tokens could not be
// read.
func (r *Rotator) reconcile(ctx context.Context, plan Plan, unread error) {
	r.warnRefused(plan)
	if len(plan.Lost) > 0 {
		r.warnLost(plan)
	}
	switch {
	case plan.DueAt.IsZero():
	case !plan.Auto:
		r.warnDue(plan)
	case !plan.Late || len(plan.Lost) > 0:
	case unread != nil:
		r.warnFailed(plan, unread)
	default:
		r.generateNext(ctx, plan)
	}
}
