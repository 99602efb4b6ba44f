package server

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// route is one call of the API. The body is nil for GET.
type route struct {
	method, path string
	handle       func(s *Server, ctx context.Context, who caller.Caller, body []byte) (answer, error)
}

// routes is the whole API.
var routes = []route{
	{http.MethodPost, "/v1/assertions", (*Server).assert},
	{http.MethodPost, "/v1/assertions/batch", (*Server).assertBatch},
	{http.MethodPost, "/v1/sign", (*Server).sign},
	{http.MethodGet, "/v1/grants", (*Server).grants},
	{http.MethodGet, "/v1/keys", (*Server).keys},
	{http.MethodGet, "/v1/jwks", (*Server).jwks},
	{http.MethodGet, "/v1/health", (*Server).health},
	{http.MethodGet, "/v1/ready", (*Server).ready},
}

// Routes returns the paths of the API.
func Routes() []string {
	all := make([]string, len(routes))
	for i, r := range routes {
		all[i] = r.path
	}
	return all
}

func (s *Server) assert(ctx context.Context, who caller.Caller, body []byte) (answer, error) {
	req, err := decodeAssertion(body)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(s.service.Assert(ctx, who, req))
}

func (s *Server) assertBatch(ctx context.Context, who caller.Caller, body []byte) (answer, error) {
	req, err := decodeBatch(body)
	if err != nil {
		return answer{}, err
	}
	results := s.service.AssertBatch(ctx, who, req.Requests)
	if len(results) != len(req.Requests) {
		return answer{}, errors.New("the service gave another number of results than there were requests")
	}
	return jsonAnswer(ipc.BatchResponse{Results: s.checkResults(ctx, results)}, nil)
}

func (s *Server) sign(ctx context.Context, who caller.Caller, body []byte) (answer, error) {
	req, err := decodeSign(body)
	if err != nil {
		return answer{}, err
	}
	return jsonAnswer(s.service.Sign(ctx, who, req))
}

func (s *Server) grants(ctx context.Context, who caller.Caller, _ []byte) (answer, error) {
	return jsonAnswer(s.service.Grants(ctx, who))
}

func (s *Server) keys(ctx context.Context, who caller.Caller, _ []byte) (answer, error) {
	return jsonAnswer(s.service.Keys(ctx, who))
}

func (s *Server) jwks(ctx context.Context, _ caller.Caller, _ []byte) (answer, error) {
	set, err := s.service.JWKS(ctx)
	return answer{status: http.StatusOK, mediaType: jwksType, body: set}, err
}

func (s *Server) health(context.Context, caller.Caller, []byte) (answer, error) {
	return jsonAnswer(ipc.HealthResponse{Status: "ok", Version: s.opts.Version}, nil)
}

func (s *Server) ready(ctx context.Context, _ caller.Caller, _ []byte) (answer, error) {
	ready, err := s.service.Ready(ctx)
	a, err := jsonAnswer(ready, err)
	if !ready.Ready {
		a.status, a.retryAfter = http.StatusServiceUnavailable, retryOverloaded
	}
	return a, err
}

// ServeHTTP answers one request; every way ends in exactly one answer.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.opts.Now()
	s.flight.enter()
	defer s.flight.leave()
	id := s.newRequestID()
	c := connOf(r)
	matched, err := s.admit(c, r)
	var a answer
	var span *tracing.Span
	if err == nil {
		r, span = s.trace(matched, r)
		a, err = s.call(matched, id, c, r)
	}
	if err != nil {
		a = s.problemAnswer(err, id, r)
	}
	if c == nil || c.excess || s.draining.Load() {
		a.close = true
	}
	a.write(w, id)
	if callerLeft(r.Context(), err) { // which is no fault of the daemon's
		a.status, a.code = statusCallerLeft, ""
	}
	endSpan(span, matched, id, a)
	took := s.opts.Now().Sub(start)
	s.opts.Observer.Request(matched.path, a.status, a.code, took)
	s.opts.Logger.Debug("request", "request_id", id, "method", r.Method, "route", matched.path, "status", a.status, "code", string(a.code), "took", took.String())
}

// trace starts the span of a request, if requests are traced.
func (s *Server) trace(matched route, r *http.Request) (*http.Request, *tracing.Span) {
	if s.opts.Tracer == nil {
		return r, nil
	}
	ctx, span := s.opts.Tracer.Request(r.Context(), matched.path, r.Header.Get("Traceparent"))
	return r.WithContext(ctx), span
}

func endSpan(span *tracing.Span, matched route, id string, a answer) {
	if span == nil {
		return
	}
	span.Text("http.route", matched.path).Text("assertd.request_id", id).Number("http.response.status_code", int64(a.status))
	if a.status >= http.StatusInternalServerError {
		span.Fail(string(a.code))
	}
	span.Text("assertd.code", string(a.code)).End()
}

// admit finds the route of a request that may be worked on.
func (s *Server) admit(c *conn, r *http.Request) (route, error) {
	if c == nil {
		return route{}, errors.New("a request that came over no socket of this server's")
	}
	c.asked.Store(true)
	if c.excess {
		return route{}, ipc.Problemf(ipc.CodeOverloaded, "%d connections are open, which is the limit; reuse connections and close idle ones", s.opts.MaxConnections).WithRetryAfter(retryOverloaded)
	}
	matched, err := findRoute(r)
	switch {
	case err != nil:
		return route{}, err
	case c.Unmapped():
		return matched, ipc.NewProblem(ipc.CodeUnknownCaller, "the daemon's user namespace can't tell your user or group from others; run the daemon in the host's, or map your ids")
	case s.draining.Load() && matched.path != "/v1/health":
		return matched, ipc.NewProblem(ipc.CodeDraining, "the daemon is stopping; connect again").WithRetryAfter(retryDraining)
	case r.Header["Origin"] != nil:
		return matched, ipc.NewProblem(ipc.CodeMalformedRequest, "requests of web pages (Origin) are refused")
	case r.URL.RawQuery != "" || r.URL.ForceQuery:
		return matched, ipc.NewProblem(ipc.CodeMalformedRequest, "the API takes no query; put everything into the body")
	}
	return matched, nil
}

func findRoute(r *http.Request) (route, error) {
	var allowed []string
	for _, one := range routes {
		if one.path != r.URL.EscapedPath() {
			continue
		}
		if one.method == r.Method {
			return one, nil
		}
		allowed = append(allowed, one.method)
	}
	if allowed == nil {
		return route{}, ipc.NewProblem(ipc.CodeNotFound, "the API's paths start with /v1/; openapi.yaml lists them")
	}
	allow := strings.Join(allowed, ", ")
	return route{}, &methodError{ipc.Problemf(ipc.CodeMethodNotAllowed, "use %s here", allow), allow}
}

// methodError is the problem method-not-allowed with its Allow header (RFC 9110, section 15.5.6).
type methodError struct {
	*ipc.Problem
	allow string
}

func (e *methodError) Unwrap() error { return e.Problem }

// call reads the body and lets the service answer within its time.
func (s *Server) call(to route, id string, c *conn, r *http.Request) (a answer, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			s.log.error("panic", "request_id", id, "route", to.path, "panic", fault, "stack", string(debug.Stack()))
			a, err = answer{}, ipc.NewProblem(ipc.CodeInternal, "")
		}
	}()
	buffer := bodies.Get().(*[]byte)
	defer bodies.Put(buffer)
	body, err := readBody(r, *buffer)
	if err != nil {
		return answer{}, err
	}
	c.working.Store(true)
	// The deadline was the body's. net/http goes on reading while the service
	// works, to learn that the peer is gone, and would take it for that.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(caller.WithRequestID(r.Context(), id), s.opts.RequestTimeout)
	defer cancel()
	return to.handle(s, ctx, c.identify(), body)
}
