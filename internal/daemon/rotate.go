package daemon

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

const (
	// lookEvery is how often the tokens are looked at for keys that others made
	// or destroyed. A new key has to be published for publish_before, of which
	// this must be a small part; the configuration allows no less than a minute.
	lookEvery = 30 * time.Second
	// warnAhead is how long before a version is due people are told to make it.
	warnAhead = 7 * 24 * time.Hour
	// warnEvery is how often they are told again.
	warnEvery = 24 * time.Hour
	// longestSpread bounds the time over which the daemons of one HSM spread out
	// before they make a version, so that the first one's is there for the rest.
	longestSpread = 5 * time.Minute
)

// SetPlan is the schedule of a key set at one moment.
type SetPlan struct {
	Name string
	Auto bool // the daemon itself makes the next version
	keyset.Plan
	// Lost are kids that were on the token and in the JWKS and are gone. Nothing
	// is generated for the set until they are back or under rotation.revoke. One
	// that went while no daemon ran may be listed with every set of its algorithm.
	Lost []string
}

// Plans lists the key sets by name with their schedules of this moment.
func (d *Daemon) Plans() []SetPlan { return d.rotation.plans() }

// rotation keeps up with what is on the tokens: it has the next versions made,
// or tells people to, and sounds the alarm when a key vanishes.
type rotation struct {
	ring     *ringHolder
	auto     func() map[string]hsm.KeyType // the sets whose versions the daemon makes
	look     func(context.Context) error   // puts what is on the tokens now into the ring
	onToken  func() map[string]bool        // the kids of all pairs on the tokens, of whichever set
	generate func(context.Context, hsm.Spec) (wire.KeyInfo, error)
	now      func() time.Time
	delay    func(most time.Duration) time.Duration // at random
	logger   Logger
	poked    chan struct{}

	mu   sync.Mutex
	lost map[string]map[string]bool // by set and kid

	// These belong to run alone.
	witness []jwks.Key                         // what the jwks.file of an earlier run shows, until the first look
	known   map[string]map[string]keyset.State // what each set had at the last look
	told    map[string]time.Time               // when each warning was given last
	made    map[string]time.Time               // the DueAt for which a version was made
}

func (d *Daemon) newRotation() *rotation {
	return &rotation{
		ring: d.ring, auto: d.autoSets, look: d.lookAgain, generate: d.pool.Generate, now: d.Now, logger: d.Logger,
		delay: rand.N[time.Duration], poked: make(chan struct{}, 1),
		witness: d.lastPublished(), onToken: d.onToken,
		lost: make(map[string]map[string]bool), known: make(map[string]map[string]keyset.State),
		told: make(map[string]time.Time), made: make(map[string]time.Time),
	}
}

func (d *Daemon) autoSets() map[string]hsm.KeyType {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.decisions.auto
}

// lookAgain asks the tokens themselves what is on them.
func (d *Daemon) lookAgain(ctx context.Context) error {
	if err := d.pool.Refresh(ctx); err != nil {
		return err
	}
	return d.refresh()
}

// autoSets are the key sets whose next version the daemon makes, and of what
// type.
func autoSets(c *config.Config) (map[string]hsm.KeyType, error) {
	sets := make(map[string]hsm.KeyType)
	for name, key := range c.Keys {
		if !key.Rotation.Auto {
			continue
		}
		typ, err := keyadmin.KeyType(string(key.Alg), key.Bits)
		if err != nil {
			return nil, err
		}
		sets[name] = typ
	}
	return sets, nil
}

func (r *rotation) plans() []SetPlan {
	ring, auto := r.ring.current.Load(), r.auto()
	var all []SetPlan
	for _, set := range ring.Sets() {
		all = append(all, r.plan(ring, set.Name, auto))
	}
	return all
}

func (r *rotation) plan(ring *keyset.Ring, name string, auto map[string]hsm.KeyType) SetPlan {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := SetPlan{Name: name, Lost: slices.Sorted(maps.Keys(r.lost[name]))}
	_, p.Auto = auto[name]
	p.Plan, _ = ring.Plan(name)
	return p
}

// poke has the tokens looked at soon.
func (r *rotation) poke() {
	select {
	case r.poked <- struct{}{}:
	default: // a look is due already
	}
}

// run looks at the tokens until ctx ends.
func (r *rotation) run(ctx context.Context) error {
	ticker := time.NewTicker(lookEvery)
	defer ticker.Stop()
	for {
		r.turn(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.poked:
		}
	}
}

// turn looks once and does what there is to do. Where the tokens can't be
// looked at nothing is concluded from what they seem to hold: that a key is not
// found is no proof that it is gone.
func (r *rotation) turn(ctx context.Context) {
	looking, cancel := context.WithTimeout(ctx, lookEvery)
	err := r.look(looking)
	cancel()
	switch {
	case ctx.Err() != nil:
		return // the daemon stops
	case err == nil:
		delete(r.told, "refused")
		r.notice()
	case errors.Is(err, keyset.ErrKey):
		r.tellRefused(err)
	default:
		r.logger.Debug("the tokens could not be looked at", "error", err)
	}
	for _, p := range r.plans() {
		r.attend(ctx, p, err)
	}
	r.warnCertificates()
}

// attend does what one key set needs. looked is why the tokens could not be
// looked at.
func (r *rotation) attend(ctx context.Context, p SetPlan, looked error) {
	if len(p.Lost) > 0 {
		r.alarm(p)
	}
	switch {
	case p.DueAt.IsZero():
	case !p.Auto:
		r.warn(p)
	case !p.Late || len(p.Lost) > 0:
	case looked != nil:
		r.tellFailure(p, looked)
	default:
		r.replace(ctx, p)
	}
}

// warn tells people ahead of time to make the next version.
func (r *rotation) warn(p SetPlan) {
	every := r.every(p.Name)
	left := p.DueAt.Sub(r.now())
	if left > min(warnAhead, every/4) || !r.due("due "+p.Name, min(warnEvery, every/4)) {
		return
	}
	message := "the next version of a key set is due soon: run the command"
	if left < 0 {
		message = "the next version of a key set is overdue, and the present one goes on signing: run the command"
	}
	r.logger.Warn(message, "key", p.Name, "due", stamp(p.DueAt), "command", "assertd key generate "+p.Name)
}

// every is the set's rotation, for which a warning has to be in proportion.
func (r *rotation) every(name string) time.Duration {
	for _, set := range r.ring.current.Load().Sets() {
		if set.Name == name {
			return set.Rotation.Every
		}
	}
	return 0
}

// due tells whether a warning may be given, once in an interval.
func (r *rotation) due(warning string, interval time.Duration) bool {
	now := r.now()
	if last, given := r.told[warning]; given && now.Sub(last) < interval && !now.Before(last) {
		return false
	}
	r.told[warning] = now
	return true
}

func (r *rotation) tellFailure(p SetPlan, err error) {
	if r.due("failed "+p.Name, time.Hour) {
		r.logger.Error("the next version of a key set could not be made, and is tried again; the present one goes on signing",
			"key", p.Name, "due", stamp(p.DueAt), "error", err, "command", "assertd key generate "+p.Name)
	}
}

// tellRefused goes on telling: the daemon signs as before, and nothing else shows
// that it sees no new key and would not start again.
func (r *rotation) tellRefused(err error) {
	if r.due("refused", warnEvery) {
		r.logger.Error("what is on the tokens is refused: keys made or destroyed since are not seen, and a restart would fail; see assertd key list", "error", err)
	}
}

func (r *rotation) warnCertificates() {
	for _, err := range r.ring.current.Load().Certificates(warnAhead) {
		if r.due(err.Error(), warnEvery) {
			r.logger.Warn("a published certificate needs renewal", "error", err)
		}
	}
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
