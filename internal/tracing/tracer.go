package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/logging"
)

// queueLimit is the maximum number of queued spans; the rest are dropped.
const queueLimit = 4096

// Options configure a Tracer. All are required.
type Options struct {
	// Endpoint is the URL of a collector's OTLP/HTTP receiver, such as
	// http://127.0.0.1:4318/v1/traces.
	Endpoint string
	Version  string // of the daemon
	// SampleEvery traces one in this many requests without a traceparent.
	SampleEvery int
	Now         func() time.Time
	Random      io.Reader // for IDs
	Logger      logging.Logger
}

// Tracer traces requests and sends their spans. A nil Tracer traces nothing.
type Tracer struct {
	opts    Options
	client  *http.Client
	queue   chan *Span
	seen    atomic.Uint64 // requests without a traceparent
	dropped atomic.Uint64
}

// New returns a tracer. Run sends its spans.
func New(o Options) (*Tracer, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("tracing: endpoint %q is not an http or https URL", o.Endpoint)
	}
	if o.SampleEvery < 1 || o.Now == nil || o.Random == nil || o.Logger == nil {
		return nil, errors.New("tracing: an option is missing")
	}
	return &Tracer{
		opts: o, queue: make(chan *Span, queueLimit),
		client: &http.Client{
			Timeout:       sendTimeout,
			Transport:     &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute}, // ignores proxies from the environment
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Request starts the span of a request, as a child of the caller's traceparent
// if that is valid. The span is nil if this request is not traced.
func (t *Tracer) Request(ctx context.Context, name, traceparent string) (context.Context, *Span) {
	if t == nil {
		return ctx, nil
	}
	p, given := parseParent(traceparent)
	if given && !p.sampled || !given && t.seen.Add(1)%uint64(t.opts.SampleEvery) != 0 {
		return ctx, nil
	}
	if !given {
		if _, err := io.ReadFull(t.opts.Random, p.trace[:]); err != nil {
			return ctx, nil
		}
	}
	s := t.start(name, p.trace, p.span, kindServer)
	if s == nil {
		return ctx, nil
	}
	return context.WithValue(ctx, spanKey{}, s), s
}

func (t *Tracer) start(name string, trace [16]byte, parent [8]byte, kind int) *Span {
	s := &Span{tracer: t, name: name, trace: trace, parent: parent, kind: kind, start: t.opts.Now()}
	if _, err := io.ReadFull(t.opts.Random, s.id[:]); err != nil {
		return nil
	}
	return s
}

// send queues a span that has ended.
func (t *Tracer) send(s *Span) {
	select {
	case t.queue <- s:
	default:
		t.dropped.Add(1)
	}
}

// Dropped returns the number of spans that could not be sent.
func (t *Tracer) Dropped() uint64 { return t.dropped.Load() }
