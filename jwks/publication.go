package jwks

import (
	"context"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

// maxRefresh is the longest time between two checks of the keys to publish,
// even if no change is expected: someone may set the wall clock.
const maxRefresh = time.Minute

// PublicationConfig says what a Publication publishes, and where.
type PublicationConfig struct {
	// Content returns the keys to publish now.
	Content func() (Content, error)
	// Publisher configures the documents that are served over HTTP.
	Publisher PublisherConfig
	// Listen is the address and port of the HTTP server; "" starts none.
	Listen string
	// CertFile and KeyFile are PEM files for HTTPS, see LoadTLSCertificate; ""
	// is plain HTTP.
	CertFile, KeyFile string
	// Trust relaxes who may have access to these files.
	Trust trustpath.Rules
	// File is the path of a file that gets the set; "" writes none. Everyone can
	// read the file. Its directory must exist and be writable.
	File string
	// Files writes it.
	Files  Files
	Logger logging.Logger
}

// Publication keeps what receivers see current: over HTTP and in a file, as
// configured. It takes the keys from memory and can't reach the HSM.
type Publication struct {
	config      PublicationConfig
	now         func() time.Time
	logger      logging.Logger
	publisher   *Publisher
	file        *setFile        // nil where no file is written
	listener    net.Listener    // nil where nothing is served
	certificate *TLSCertificate // nil for plain HTTP
	changed     chan struct{}
	status      atomic.Pointer[ipc.JWKSStatus]
	throttle    *logging.Throttle
	hold        initialHold
}

// NewPublication refuses what NewPublisher refuses. It starts nothing.
func NewPublication(config PublicationConfig) (*Publication, error) {
	publisher, err := NewPublisher(config.Publisher)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	now := publisher.config.Now
	p := &Publication{
		config: config, now: now, logger: config.Logger, publisher: publisher,
		changed: make(chan struct{}, 1), throttle: logging.NewThrottle(now),
		hold: initialHold{limit: min(max(publisher.config.MaxAge, minHold), maxHold)},
	}
	p.status.Store(&ipc.JWKSStatus{})
	if config.File != "" {
		p.file = newSetFile(config, now)
	}
	return p, nil
}

// Status returns the outcome of the last attempts to publish. Keys are
// published when the file has them, if there is one.
func (p *Publication) Status() ipc.JWKSStatus {
	served := *p.status.Load()
	if p.file == nil {
		return served
	}
	status := p.file.status()
	if served.Error != "" {
		status.Error = served.Error
	}
	return status
}

// SetUnread names the tokens that have not been read since the start. The keys
// of all other tokens must already be in the Content.
func (p *Publication) SetUnread(tokens []string) { p.hold.unread.Store(&tokens) }

// Trigger makes Run publish soon, after a change of the keys.
func (p *Publication) Trigger() {
	select {
	case p.changed <- struct{}{}:
	default: // Run is about to publish anyway
	}
}

// Run publishes until ctx ends: at once, after each Trigger, and when the
// content changes by the passing of time. It ends at most 2 seconds after ctx,
// whatever the file's disk does.
func (p *Publication) Run(ctx context.Context) error {
	if p.file != nil {
		var writing sync.WaitGroup
		defer writing.Wait()
		writing.Go(func() { p.file.run(ctx) })
	}
	for {
		wait, err := p.update()
		if err != nil {
			failed := *p.status.Load()
			failed.Error = err.Error()
			p.status.Store(&failed)
			p.throttle.Log(p.logger.Error, "jwks", "jwks not published; receivers keep the previous keys", "error", err)
		}
		if !sleep.UntilWoken(ctx, wait, p.changed) {
			return nil
		}
	}
}

// update publishes the current content and returns when to do so again.
func (p *Publication) update() (time.Duration, error) {
	// The hold has a limit; without any content there is nothing to publish
	// after it.
	if _, err := p.config.Content(); err != nil {
		return maxRefresh, err
	}
	if wait, err := p.hold.check(p.now(), p.logger); err != nil {
		return wait, err
	}
	content, err := p.config.Content() // read after hold, whose tokens are then in it
	if err != nil {
		return maxRefresh, err
	}
	if err := p.publisher.Update(content); err != nil {
		return maxRefresh, err
	}
	if p.file != nil {
		p.file.put(content.Set)
	}
	p.status.Store(&ipc.JWKSStatus{Published: p.now(), Keys: content.Set.Len(), Digest: content.Set.Digest()})
	return p.untilNext(content.NextChange), nil
}

func (p *Publication) untilNext(change time.Time) time.Duration {
	if change.IsZero() {
		return maxRefresh
	}
	return max(time.Millisecond, min(maxRefresh, change.Sub(p.now())))
}

// Listen opens the address for receivers, if one is configured, and loads its
// certificate.
func (p *Publication) Listen() (err error) {
	if p.config.Listen == "" {
		return nil
	}
	if p.config.CertFile != "" {
		if p.certificate, err = LoadTLSCertificate(p.config.CertFile, p.config.KeyFile, p.config.Trust, p.logCertificate); err != nil {
			return fmt.Errorf("jwks.tls: %w", err)
		}
	}
	if p.listener, err = net.Listen("tcp", p.config.Listen); err != nil {
		return fmt.Errorf("jwks.listen: %w", err)
	}
	p.logger.Info("publishing", "address", p.listener.Addr().String(), "path", SetPath, "tls", p.certificate != nil)
	return nil
}

// Serve answers receivers until ctx ends, as Publisher.Serve does. Where Listen
// opened nothing it returns at once.
func (p *Publication) Serve(ctx context.Context) error {
	if p.listener == nil {
		return nil
	}
	return p.publisher.Serve(ctx, p.listener, p.certificate)
}

func (p *Publication) logCertificate(err error) {
	if err != nil {
		p.logger.Error("jwks.tls: new certificate refused; keeping the old one", "error", err)
		return
	}
	p.logger.Info("jwks.tls: certificate renewed")
}
