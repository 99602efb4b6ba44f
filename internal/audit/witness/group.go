package witness

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

// ErrNoQuorum is why nothing may be signed while too few witnesses have
// cosigned the log lately.
var ErrNoQuorum = errors.New("too few witnesses have cosigned the audit log lately")

// Options configure a Group.
type Options struct {
	Log       *audit.Log // opened with audit.Options.Witnessed
	Witnesses []Config
	// Quorum is how many witnesses must cosign.
	Quorum int
	// MaxAge is how old the cosignatures of a quorum may be. Then Hold returns
	// ErrNoQuorum. With 0, Hold never does.
	MaxAge time.Duration
	// Timeout limits one request to a witness. Default 5 s, or a third of MaxAge
	// if that is less.
	Timeout time.Duration
	// Retry is how often a witness that did not cosign is tried again. Default
	// 30 s, or a sixth of MaxAge if that is less.
	Retry  time.Duration
	Now    func() time.Time
	Logger logging.Logger
}

// Group is the witnesses of a log. A nil Group has none.
type Group struct {
	opts    Options
	members []*member
	initial []int64       // sizes that a witness may have had at the start
	proving time.Duration // how long Start may read files

	mu     sync.Mutex // of newest and the members' state
	newest *audit.Signed

	quorumAt atomic.Int64 // when the quorum's oldest cosignature was made, in Unix nanoseconds

	// Cosignatures must not get younger because someone sets the clock back.
	epoch      time.Time
	quorumSeen atomic.Int64 // when the quorum's oldest cosignature came, in nanoseconds since epoch
}

// elapsed returns the nanoseconds since New, by a clock that nobody can set.
func (g *Group) elapsed() int64 { return int64(time.Since(g.epoch)) }

// age returns how old a cosignature is that was made at a time and came when
// seen nanoseconds had elapsed: by the clock that says more.
func (g *Group) age(made time.Time, seen int64) time.Duration {
	return max(g.opts.Now().Sub(made), time.Duration(g.elapsed()-seen))
}

// New makes a Group. It sends nothing.
func New(o Options) *Group {
	if o.Timeout == 0 {
		o.Timeout = 5 * time.Second
		if o.MaxAge > 0 {
			o.Timeout = min(o.Timeout, o.MaxAge/3)
		}
	}
	if o.Retry == 0 {
		o.Retry = 30 * time.Second
		if o.MaxAge > 0 {
			o.Retry = min(o.Retry, o.MaxAge/6)
		}
	}
	g := &Group{opts: o, initial: o.Log.Pinned(), proving: o.Timeout, epoch: time.Now()}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Minute}
	for _, w := range o.Witnesses {
		g.members = append(g.members, &member{group: g, client: newClient(w, transport), wake: make(chan struct{}, 1)})
	}
	return g
}

// Start signs a checkpoint, and waits until each witness has cosigned it or has
// had its time. It returns ErrRolledBack if a witness remembers another log. A
// witness that is away is no error. The log's Run must be running.
func (g *Group) Start(ctx context.Context) error {
	if g == nil {
		return nil
	}
	signed, err := g.firstCheckpoint(ctx)
	if err != nil {
		g.opts.Logger.Warn("the witnesses were not asked, because no checkpoint could be signed; retrying at the next one", "error", err)
		return nil
	}
	g.take(signed)
	found := make([]error, len(g.members))
	var asking sync.WaitGroup
	for i, m := range g.members {
		asking.Go(func() { found[i] = m.feed(ctx, m.proveSoon) })
	}
	asking.Wait()
	for _, err := range found {
		if errors.Is(err, audit.ErrRolledBack) {
			return err
		}
	}
	return nil
}

// firstCheckpoint tries twice: the log may be waiting for a signature that
// started before the HSM was ready. It gives up after three timeouts, because a
// daemon whose checkpoint key is away still serves.
func (g *Group) firstCheckpoint(ctx context.Context) (*audit.Signed, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*g.opts.Timeout)
	defer cancel()
	signed, err := g.opts.Log.Checkpoint(ctx)
	if err != nil && ctx.Err() == nil {
		signed, err = g.opts.Log.Checkpoint(ctx)
	}
	return signed, err
}

// Run sends each new checkpoint to the witnesses until ctx ends. End it before
// the log's Run.
func (g *Group) Run(ctx context.Context) error {
	if g == nil {
		return nil
	}
	var running sync.WaitGroup
	defer running.Wait()
	for _, m := range g.members {
		m.poke() // a proof that Start put off
		running.Go(func() { m.run(ctx) })
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case signed := <-g.opts.Log.Signed():
			g.take(signed)
			for _, m := range g.members {
				m.poke()
			}
		}
	}
}

// take makes a checkpoint the one to send.
func (g *Group) take(s *audit.Signed) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.newest == nil || s.Size > g.newest.Size {
		g.newest = s
	}
}

// retain tells the log which sizes a witness may still have.
func (g *Group) retain(ctx context.Context) {
	g.mu.Lock()
	var sizes []int64
	for _, m := range g.members {
		sizes = append(sizes, m.possible()...)
	}
	if g.newest != nil {
		sizes = append(sizes, g.newest.Size)
	}
	g.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, g.opts.Timeout)
	defer cancel()
	_ = g.opts.Log.Retain(ctx, sizes...) // if not, the next time
}

// count finds out when the quorum last cosigned. The caller holds mu.
func (g *Group) count() {
	var made, seen []int64
	for _, m := range g.members {
		if !m.at.IsZero() {
			made, seen = append(made, m.at.UnixNano()), append(seen, m.seen)
		}
	}
	if q := g.opts.Quorum; q > 0 && q <= len(made) {
		slices.Sort(made)
		slices.Sort(seen)
		g.quorumAt.Store(made[len(made)-q])
		g.quorumSeen.Store(seen[len(seen)-q])
	}
}

// Hold returns why nothing may be signed now, ErrNoQuorum or nil.
func (g *Group) Hold() error {
	if g == nil || g.opts.MaxAge == 0 {
		return nil
	}
	at := g.quorumAt.Load()
	if at != 0 && g.age(time.Unix(0, at), g.quorumSeen.Load()) <= g.opts.MaxAge {
		return nil
	}
	return fmt.Errorf("%w: %d must have cosigned within %s; \"assertctl status\" shows what each witness answered", ErrNoQuorum, g.opts.Quorum, g.opts.MaxAge)
}

// Report adds the state of the witnesses to that of the log.
func (g *Group) Report(s *ipc.AuditStatus) {
	if g == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Quorum = g.opts.Quorum
	if at := g.quorumAt.Load(); at != 0 {
		s.QuorumTime = time.Unix(0, at).UTC()
	}
	for _, m := range g.members {
		s.Witnesses = append(s.Witnesses, m.status())
	}
	s.WitnessedLines = g.cosignedLines()
}

// cosignedLines returns the size that a quorum has cosigned.
func (g *Group) cosignedLines() int64 {
	var sizes []int64
	for _, m := range g.members {
		sizes = append(sizes, m.cosigned)
	}
	slices.SortFunc(sizes, func(a, b int64) int { return cmp.Compare(b, a) })
	if q := g.opts.Quorum; q > 0 && q <= len(sizes) {
		return sizes[q-1]
	}
	return 0
}
