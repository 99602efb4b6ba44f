package daemon

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/jwks"
)

// republishAtLeast is how often the published keys are looked at even if no
// change is expected: the wall clock may be set.
const republishAtLeast = time.Minute

// publication brings the public keys to receivers: over HTTP and to a file, as
// configured. It has the keys from memory and no way to the HSM.
type publication struct {
	settings  config.JWKS
	logger    logging.Logger
	publisher *jwks.Publisher
	changed   chan struct{} // the keys may have changed
	content   func() (jwks.Content, error)
	now       func() time.Time
	latest    atomic.Pointer[published]
	lines     *logging.Throttle
	holding   holding
}

// published is how the last publication went.
type published struct {
	at   time.Time // of the last that succeeded
	keys int       // of that one
	err  error     // why a later one did not
}

// last is how publishing does. It is zero before the first time.
func (p *publication) last() published {
	if last := p.latest.Load(); last != nil {
		return *last
	}
	return published{}
}

func newPublication(settings config.JWKS, logger logging.Logger, now func() time.Time, content func() (jwks.Content, error)) (*publication, error) {
	publisher, err := jwks.NewPublisher(jwks.PublisherConfig{Issuer: settings.Issuer, MaxAge: settings.MaxAge.Std(), Now: now})
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	return &publication{
		settings: settings, logger: logger, publisher: publisher,
		changed: make(chan struct{}, 1), content: content, now: now, lines: logging.NewThrottle(now),
		holding: holding{most: min(max(settings.MaxAge.Std(), leastHold), mostHold)},
	}, nil
}

// poke has the publication look at the keys again soon.
func (p *publication) poke() {
	select {
	case p.changed <- struct{}{}:
	default: // it is about to look anyway
	}
}

// update publishes the keys of this moment and tells how long they hold.
func (p *publication) update() (time.Duration, error) {
	if wait, err := p.hold(); err != nil {
		return wait, err
	}
	content, err := p.content()
	if err != nil {
		return republishAtLeast, err
	}
	if err := p.publisher.Update(content); err != nil {
		return republishAtLeast, err
	}
	if p.settings.File != "" {
		changed, err := jwks.WriteFile(p.settings.File, content.Set)
		if err != nil {
			return republishAtLeast, err
		}
		if changed {
			p.logger.Info("jwks file written", "file", p.settings.File, "keys", content.Set.Len())
		}
	}
	p.latest.Store(&published{at: p.now(), keys: content.Set.Len()})
	return p.untilNext(content.NextChange), nil
}

func (p *publication) untilNext(change time.Time) time.Duration {
	if change.IsZero() {
		return republishAtLeast
	}
	return max(time.Millisecond, min(republishAtLeast, change.Sub(p.now())))
}

// run keeps what is published true until ctx ends.
func (p *publication) run(ctx context.Context) error {
	for {
		wait, err := p.update()
		if err != nil {
			last := p.last()
			p.latest.Store(&published{at: last.at, keys: last.keys, err: err})
			p.lines.Log(p.logger.Error, "jwks", "jwks not published; receivers keep the former keys", "error", err)
		}
		if !sleep.UntilWoken(ctx, wait, p.changed) {
			return nil
		}
	}
}

// listen opens the address for receivers. Nil where none is configured.
func (p *publication) listen() (net.Listener, *jwks.Certificate, error) {
	if p.settings.Listen == "" {
		return nil, nil, nil
	}
	certificate, err := p.certificate()
	if err != nil {
		return nil, nil, err
	}
	listener, err := net.Listen("tcp", p.settings.Listen)
	if err != nil {
		return nil, nil, fmt.Errorf("jwks.listen: %w", err)
	}
	p.logger.Info("publishing", "address", listener.Addr().String(), "path", jwks.SetPath, "tls", certificate != nil)
	return listener, certificate, nil
}

func (p *publication) certificate() (*jwks.Certificate, error) {
	if p.settings.TLS == nil {
		return nil, nil
	}
	certificate, err := jwks.LoadCertificate(p.settings.TLS.Cert, p.settings.TLS.Key, p.tellCertificate)
	if err != nil {
		return nil, fmt.Errorf("jwks.tls: %w", err)
	}
	return certificate, nil
}

func (p *publication) tellCertificate(err error) {
	if err != nil {
		p.logger.Error("jwks.tls: the new certificate is refused; the former one stays", "error", err)
		return
	}
	p.logger.Info("jwks.tls: certificate renewed")
}
