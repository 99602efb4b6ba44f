package server

import (
	"crypto/rand"
	"io"
	"time"

	"github.com/assertd/assertd/internal/descent"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// Options of a [Server]. A zero value means the default.
type Options struct {
	Logger  logging.Logger // default: none
	Version string         // of the daemon, for GET /v1/health

	// Needed returns the attributes of callers that the policy needs. It is called
	// for each request, so that a reload takes effect on open connections.
	Needed func() caller.Attributes
	// Recorded are attributes to look up for the audit log only. It is not an
	// error if they can't be found.
	Recorded caller.Attributes
	// Family is the daemon's descendants, who are refused; nil for none.
	Family *descent.Family
	// Observer counts requests; nil for none.
	Observer Observer
	// Tracer traces requests; nil for none.
	Tracer *tracing.Tracer

	MaxConnections int           // open at a time, on all listeners; default 1,024
	MaxHeaderBytes int           // default 8 KiB; net/http allows 4 KiB more
	HeaderTimeout  time.Duration // to receive a request's header; default 5 s
	BodyTimeout    time.Duration // to receive a whole request, header and body; default 10 s
	RequestTimeout time.Duration // for the service to answer; default 15 s
	WriteTimeout   time.Duration // from the request's header to the end of the response; default 30 s
	IdleTimeout    time.Duration // between requests; default 2 min
	DrainTimeout   time.Duration // for requests in flight when Serve's context ends; default 20 s

	Now    func() time.Time // default time.Now
	Random io.Reader        // for request IDs; default crypto/rand.Reader
}

// Observer counts requests.
type Observer interface {
	// Request is called after each response. The route is a path of the API, or ""
	// if none matched; the status is 499 if the caller left before its response;
	// the code is "" if the request succeeded.
	Request(route string, status int, code ipc.Code, took time.Duration)
}

type noObserver struct{}

func (noObserver) Request(string, int, ipc.Code, time.Duration) {}

func (o Options) withDefaults() Options {
	if o.Logger == nil {
		o.Logger = logging.Discard
	}
	if o.Needed == nil {
		o.Needed = func() caller.Attributes { return caller.Attributes{} }
	}
	if o.Observer == nil {
		o.Observer = noObserver{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	o.MaxConnections = orDefault(o.MaxConnections, 1024)
	o.MaxHeaderBytes = orDefault(o.MaxHeaderBytes, 8<<10)
	o.HeaderTimeout = orDefault(o.HeaderTimeout, 5*time.Second)
	o.BodyTimeout = orDefault(o.BodyTimeout, 10*time.Second)
	o.RequestTimeout = orDefault(o.RequestTimeout, 15*time.Second)
	o.WriteTimeout = orDefault(o.WriteTimeout, 30*time.Second)
	o.IdleTimeout = orDefault(o.IdleTimeout, 2*time.Minute)
	o.DrainTimeout = orDefault(o.DrainTimeout, 20*time.Second)
	return o
}

func orDefault[T int | time.Duration](v, otherwise T) T {
	if v <= 0 {
		return otherwise
	}
	return v
}
