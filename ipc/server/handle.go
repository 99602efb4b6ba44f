package server

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/assertd/assertd/internal/tracing"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
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
	var span *tracing.Span
	if err == nil {
		r, span = s.trace(matched, r)
		resp, err = s.call(matched, id, c, r)
	}
	if err != nil {
		resp = s.problemResponse(err, id, r)
	}
	if c == nil || s.draining.Load() || misframed(r) {
		resp.close = true
	}
	if c != nil && c.unread(r) && (resp.close || !smallBody(r)) {
		s.writeEarly(resp, w, c, r, id)
	} else {
		resp.write(w, id)
	}
	if callerLeft(r.Context(), err) { // the daemon didn't fail
		resp.status, resp.code = statusCallerLeft, ""
	}
	endSpan(span, matched, id, resp)
	took := s.opts.Now().Sub(start)
	s.opts.Observer.Request(matched.path, resp.status, resp.code, took)
	s.opts.Logger.Debug("request", "request_id", id, "method", r.Method, "route", matched.path,
		"status", resp.status, "code", string(resp.code), "took", took.String())
}

// misframed reports whether a program in between may have seen the request end
// elsewhere, so that nothing after it can be trusted (RFC 9112, section 6.1).
// With a Transfer-Encoding, net/http forgets that there may have been a
// Content-Length too. In HTTP/1.0 it forgets the Transfer-Encoding.
func misframed(r *http.Request) bool { return len(r.TransferEncoding) > 0 || !r.ProtoAtLeast(1, 1) }

// trace starts the span of a request, if requests are traced.
func (s *Server) trace(matched route, r *http.Request) (*http.Request, *tracing.Span) {
	if s.opts.Tracer == nil {
		return r, nil
	}
	ctx, span := s.opts.Tracer.Request(r.Context(), matched.path, r.Header.Get("Traceparent"))
	return r.WithContext(ctx), span
}

func endSpan(span *tracing.Span, matched route, id string, resp response) {
	if span == nil {
		return
	}
	span.Text("http.route", matched.path).Text("assertd.request_id", id).Number("http.response.status_code", int64(resp.status))
	if resp.status >= http.StatusInternalServerError {
		span.Fail(string(resp.code))
	}
	span.Text("assertd.code", string(resp.code)).End()
}

// admit finds the route of a request, and refuses requests that no route may
// handle.
func (s *Server) admit(c *conn, r *http.Request) (route, error) {
	if c == nil {
		return route{}, errors.New("the request did not come from one of this server's sockets")
	}
	c.sentRequest.Store(true)
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
	// handled, to notice that the peer is gone, and would mistake a timeout for
	// that.
	if err := c.SetReadDeadline(time.Time{}); err != nil {
		return response{}, err
	}
	ctx, cancel := context.WithTimeout(caller.WithRequestID(r.Context(), id), s.opts.RequestTimeout)
	defer cancel()
	return to.handle(s, ctx, c.identify(), body)
}
