package server

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/assertd/assertd/ipc"
)

// ServeHTTP answers one request with exactly one response.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.opts.Now()
	s.inFlight.enter()
	defer s.inFlight.leave()
	id := s.newRequestID()
	c := connOf(r)
	matched, err := s.admit(c, r)
	var resp response
	endTrace := func(int, ipc.Code) {}
	if err == nil {
		r, endTrace = s.trace(matched, id, r)
		resp, err = s.call(matched, id, c, r)
	}
	if err != nil {
		resp = s.problemResponse(err, id, r)
	}
	if c == nil || c.excess || s.draining.Load() {
		resp.close = true
	}
	resp.write(w, id)
	if callerLeft(r.Context(), err) { // the daemon didn't fail
		resp.status, resp.code = statusCallerLeft, ""
	}
	endTrace(resp.status, resp.code)
	took := s.opts.Now().Sub(start)
	listener := ""
	if c != nil {
		listener = c.Caller().Listener
	}
	s.opts.Observe(Observation{matched.path, listener, resp.status, resp.code, took})
	s.opts.Logger.Debug("request", "request_id", id, "method", r.Method, "route", matched.path,
		"status", resp.status, "code", string(resp.code), "took", took.String())
}

// trace begins the trace of a request, if requests are traced.
func (s *Server) trace(matched route, id string, r *http.Request) (*http.Request, func(int, ipc.Code)) {
	if s.opts.Trace == nil {
		return r, func(int, ipc.Code) {}
	}
	ctx, end := s.opts.Trace(r.Context(), matched.path, id, r.Header.Get("Traceparent"))
	return r.WithContext(ctx), end
}

// admit finds the route of a request, and refuses requests that no route may
// handle.
func (s *Server) admit(c *conn, r *http.Request) (route, error) {
	if c == nil {
		return route{}, errors.New("the request did not come from one of this server's sockets")
	}
	c.sentRequest.Store(true)
	if c.excess {
		return route{}, ipc.Problemf(ipc.CodeOverloaded, "The limit of %d open connections is reached. Reuse connections, and close idle ones.",
			s.opts.MaxConnections).WithRetryAfter(retrySoon)
	}
	matched, err := findRoute(r)
	switch {
	case err != nil:
		return route{}, err
	case c.Unmapped():
		return matched, ipc.NewProblem(ipc.CodeUnknownCaller, "The daemon's user namespace does not map your user or group, so the daemon can't tell them from others. "+
			"Run the daemon in the host's user namespace, or map your IDs.")
	case s.draining.Load() && matched.path != "/v1/health":
		return matched, ipc.NewProblem(ipc.CodeDraining, "The daemon is stopping. Connect again.").WithRetryAfter(retrySoon)
	case r.Header["Origin"] != nil:
		return matched, ipc.NewProblem(ipc.CodeMalformedRequest, "The daemon refuses requests from web pages, which have an Origin header.")
	case r.URL.RawQuery != "" || r.URL.ForceQuery:
		return matched, ipc.NewProblem(ipc.CodeMalformedRequest, "The API takes no query. Put everything in the body.")
	}
	return matched, nil
}

// call reads the body and has the route handle it, within the request's time.
func (s *Server) call(to route, id string, c *conn, r *http.Request) (resp response, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			s.log.error("panic", "request_id", id, "route", to.path, "panic", reason, "stack", string(debug.Stack()))
			resp, err = response{}, ipc.NewProblem(ipc.CodeInternal, "")
		}
	}()
	buffer := buffers.Get().(*[]byte)
	defer buffers.Put(buffer)
	body, err := readBody(r, *buffer)
	if err != nil {
		return response{}, err
	}
	c.busy.Store(true)
	// The deadline was for the body. net/http keeps reading while the request is
	// handled, to notice that the peer is gone, and would mistake a timeout for that.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(WithRequestID(r.Context(), id), s.opts.RequestTimeout)
	defer cancel()
	return to.handle(s, ctx, c.identify(), body)
}
