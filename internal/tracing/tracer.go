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

// queueLimit is how many spans may wait to be sent; more are dropped.
const queueLimit = 4096

// Options are what a Tracer is made of. All are required.
type Options struct {
	// Endpoint is the URL of a collector's OTLP/HTTP traces, such as
	// http://127.0.0.1:4318/v1/traces.
	Endpoint string
	Version  string // of the daemon
	// SampleEvery traces one of so many requests that come without a traceparent.
	SampleEvery int
	Now         func() time.Time
	Random      io.Reader // for ids
	Logger      logging.Logger
}

// Tracer makes spans of requests and sends them. A nil one makes none.
type Tracer struct {
	opts    Options
	client  *http.Client
	queue   chan *Span
	seen    atomic.Uint64 // requests without a traceparent
	dropped atomic.Uint64
}

// New makes a tracer; Run sends.
func New(o Options) (*Tracer, error) {
	u, err := url.Parse(o.Endpoint)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("tracing: endpoint %q is no http or https URL", o.Endpoint)
	}
	if o.SampleEvery < 1 || o.Now == nil || o.Random == nil || o.Logger == nil {
		return nil, errors.New("tracing: an option is missing")
	}
	return &Tracer{
		opts: o, queue: make(chan *Span, queueLimit),
		client: &http.Client{
			Timeout:       sendTimeout,
			Transport:     &http.Transport{MaxIdleConns: 1, IdleConnTimeout: time.Minute}, // no proxy of the environment
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

// Request begins the span of a request, under the caller's traceparent if that is
// valid. The span is nil where this request is not traced.
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
	s := t.begin(name, p.trace, p.span, kindServer)
	if s == nil {
		return ctx, nil
	}
	return context.WithValue(ctx, spanKey{}, s), s
}

func (t *Tracer) begin(name string, trace [16]byte, parent [8]byte, kind int) *Span {
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

// Dropped is how many spans could not be sent.
func (t *Tracer) Dropped() uint64 { return t.dropped.Load() }
