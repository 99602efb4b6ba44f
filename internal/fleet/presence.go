package fleet

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/ipc"
)

const (
	// publishEvery is how often a daemon says that it is there.
	publishEvery = 5 * time.Second
	// goneAfter is when a daemon that says nothing counts as gone.
	goneAfter = 20 * time.Second
	// forgetAfter is when a daemon that is gone is dropped.
	forgetAfter = 24 * time.Hour
)

// Presence tells the fleet that this daemon is there, and who else is.
type Presence struct {
	store    *store.Store
	key      Key
	describe func() ipc.StatusResponse
	id, host string

	mu   sync.Mutex
	last ipc.FleetDaemon // as it was published last
	at   time.Time       // when that was, by this host's clock
}

// NewPresence makes a Presence of a daemon that describe describes, on a host
// of this name. It starts nothing, see [Presence.Run].
func NewPresence(s *store.Store, key Key, host string, describe func() ipc.StatusResponse) *Presence {
	return &Presence{store: s, key: key, describe: describe, id: rand.Text()[:12], host: host}
}

// Run publishes until ctx ends, and then takes leave of the fleet.
func (p *Presence) Run(ctx context.Context) error {
	for {
		p.publish(ctx) // the store's health says why it can't
		if !sleep.For(ctx, publishEvery) {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	p.store.Client().HDel(ctx, p.place(), p.id) // if this fails, it is shown as gone
	return nil
}

func (p *Presence) place() string { return p.store.Key("daemons") }

func (p *Presence) publish(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	self := p.self()
	entry, err := json.Marshal(self)
	if err != nil {
		return // only a time that RFC 3339 can't have
	}
	p.store.Client().HSet(ctx, p.place(), p.id, p.key.seal(p.place(), entry))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last, p.at = self, p.store.Options.Now()
}

// self describes this daemon now.
func (p *Presence) self() ipc.FleetDaemon {
	status, now := p.describe(), p.store.Options.Now()
	d := ipc.FleetDaemon{
		ID: p.id, Host: p.host, PID: os.Getpid(), Version: status.Version, State: stateOf(status.Ready),
		Started: status.Started.UTC(), Seen: p.store.Now().UTC(), PolicyDigest: status.PolicyDigest, JWKSDigest: status.JWKS.Digest,
		Freezes: len(status.Freeze.Freezes), Released: released(status), ClockSeconds: -p.store.Status().ClockSeconds,
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	since, before := p.at, p.last.Released
	if since.IsZero() {
		since = status.Started
	}
	d.PerSecond = p.last.PerSecond
	if passed := now.Sub(since).Seconds(); passed >= 1 && d.Released >= before {
		d.PerSecond = float64(d.Released-before) / passed
	}
	return d
}

func stateOf(r ipc.ReadyResponse) string {
	switch {
	case !r.Ready:
		return ipc.FleetNotReady
	case len(r.Degraded) > 0:
		return ipc.FleetDegraded
	}
	return ipc.FleetReady
}

func released(s ipc.StatusResponse) (n uint64) {
	for _, client := range s.Clients {
		for _, grant := range client.Grants {
			n += grant.Released
		}
	}
	return n
}

// Fleet lists the daemons, by host. This one is always among them.
func (p *Presence) Fleet(ctx context.Context) ipc.FleetResponse {
	ctx, cancel := context.WithTimeout(ctx, answerWait)
	defer cancel()
	self := p.self()
	self.Self = true
	response := ipc.FleetResponse{Now: p.store.Now().UTC(), Daemons: []ipc.FleetDaemon{self}}
	entries, err := read(ctx, p.store, p.place())
	if err != nil {
		response.Error = err.Error()
		return response
	}
	for id, text := range entries {
		d, err := p.decode(id, text)
		switch {
		case err != nil:
			response.Forged++
		case id == p.id:
		case response.Now.Sub(d.Seen) > forgetAfter:
			p.store.Client().HDel(ctx, p.place(), id)
		default:
			if response.Now.Sub(d.Seen) > goneAfter {
				d.State, d.PerSecond = ipc.FleetGone, 0
			}
			response.Daemons = append(response.Daemons, d)
		}
	}
	slices.SortFunc(response.Daemons, func(x, y ipc.FleetDaemon) int {
		return cmp.Or(cmp.Compare(x.Host, y.Host), x.Started.Compare(y.Started), cmp.Compare(x.ID, y.ID))
	})
	return response
}

func (p *Presence) decode(id, text string) (d ipc.FleetDaemon, err error) {
	if err := p.key.decode(p.place(), text, &d); err != nil {
		return d, err
	}
	d.Self = false
	if d.ID != id {
		err = errMisplaced
	}
	return d, err
}
