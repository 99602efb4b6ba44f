package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// retrySoon is when to try again if the service doesn't say.
const retrySoon = time.Second

// Header values that all responses share.
var (
	jsonType    = []string{"application/json"}
	jwksType    = []string{"application/jwk-set+json"} // RFC 7517, section 8.5.2
	problemType = []string{"application/problem+json"} // RFC 9457
	noStore     = []string{"no-store"}                 // RFC 9111; an assertion is used once
	closing     = []string{"close"}                    // RFC 9112, section 9.6
)

// response is a response that has not been written yet.
type response struct {
	status    int
	mediaType []string
	body      []byte

	code       ipc.Code // of a problem
	allow      string
	retryAfter time.Duration
	close      bool
}

func jsonResponse(v any, err error) (response, error) {
	if err != nil {
		return response{}, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return response{}, fmt.Errorf("encode the response: %w", err)
	}
	return response{status: http.StatusOK, mediaType: jsonType, body: append(body, '\n')}, nil
}

func (r response) write(w http.ResponseWriter, id string) {
	h := w.Header()
	h["Content-Type"] = r.mediaType
	h["Content-Length"] = []string{strconv.Itoa(len(r.body))}
	h["Cache-Control"] = noStore
	h["X-Request-Id"] = []string{id}
	if r.allow != "" {
		h["Allow"] = []string{r.allow}
	}
	if r.retryAfter > 0 {
		h["Retry-After"] = []string{retryAfterHeader(r.retryAfter)}
	}
	if r.close {
		h["Connection"] = closing
	}
	w.WriteHeader(r.status)
	w.Write(r.body) // an error means that the peer is gone
}

// retryAfterHeader rounds up to whole seconds (RFC 9110, section 10.2.3).
func retryAfterHeader(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// problemResponse turns any error into a response. A problem is sent as it is.
// Of any other error the peer sees only a code; the log has all of it.
func (s *Server) problemResponse(err error, id string, r *http.Request) response {
	var allow string
	var method *methodError
	if errors.As(err, &method) {
		allow = method.allow
	}
	sent := complete(s.problemOf(r.Context(), err, id), id)
	body, err := json.Marshal(sent)
	if err != nil {
		s.opts.Logger.Error("encode a problem", "request_id", id, "error", err)
	}
	return response{
		status: sent.Status, mediaType: problemType, body: append(body, '\n'),
		code: sent.Code, allow: allow, retryAfter: sent.RetryAfter(),
		close: sent.Code == ipc.CodeRequestTooLarge,
	}
}

func (s *Server) problemOf(ctx context.Context, err error, id string) *ipc.Problem {
	var problem *ipc.Problem
	var timeout net.Error
	switch {
	case errors.As(err, &problem):
		if problem.Status == problem.Code.Status() {
			return problem
		}
		s.log.error("problem with an unknown code or the wrong status", "request_id", id, "code", string(problem.Code), "error", err)
	case callerLeft(ctx, err):
		s.opts.Logger.Debug("the caller left", "request_id", id, "error", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		s.log.error("request timed out", "request_id", id, "error", err)
		return ipc.NewProblem(ipc.CodeTimeout, "The daemon did not answer in time. Try again.").WithRetryAfter(retrySoon)
	default:
		s.log.error("request failed", "request_id", id, "error", err)
	}
	return ipc.NewProblem(ipc.CodeInternal, "")
}

// statusCallerLeft is the status under which a request is counted whose caller
// left before the response. It is never sent. RFC 9110 doesn't have it, but web
// servers commonly log it.
const statusCallerLeft = 499

// callerLeft reports whether a request failed because its caller left, and not
// for a reason that the service gave.
func callerLeft(ctx context.Context, err error) bool {
	var problem *ipc.Problem
	return err != nil && ctx.Err() != nil && !errors.As(err, &problem)
}

// checkResults makes sure that each result of a batch has exactly one member,
// and that its problem is one that could be sent on its own.
func (s *Server) checkResults(ctx context.Context, results []ipc.BatchResult) []ipc.BatchResult {
	id := caller.RequestID(ctx)
	checked := make([]ipc.BatchResult, len(results))
	for i, r := range results {
		switch {
		case r.Problem == nil && r.Assertion != nil:
			checked[i] = r
		case r.Problem != nil && r.Assertion == nil:
			checked[i].Problem = complete(s.problemOf(ctx, r.Problem, id), id)
		default:
			err := errors.New("a batch result needs either an assertion or a problem")
			checked[i].Problem = complete(s.problemOf(ctx, err, id), id)
		}
	}
	return checked
}

// complete returns a copy of a problem with everything it needs to be sent. It
// is a copy because a service may return the same value again.
func complete(p *ipc.Problem, id string) *ipc.Problem {
	sent := p.WithRetryAfter(retryAfter(p))
	sent.RequestID = id
	return sent
}

// retryAfter makes sure that every 429 and 503 says when to try again.
func retryAfter(p *ipc.Problem) time.Duration {
	d := p.RetryAfter()
	if d == 0 && (p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable) {
		return retrySoon
	}
	return d
}

// malformedHeaders are what net/http says of a header that it refuses, with
// what a person can do about it.
var malformedHeaders = []struct{ said, detail string }{
	{"missing required Host header", `The request has no Host header, which HTTP/1.1 requires. Send one, such as "Host: assertd"; the daemon ignores its value.`},
	{"malformed Host header", `The Host header is not a name of a host. Send one, such as "Host: assertd"; the daemon ignores its value.`},
	{"unsupported protocol version", "The daemon speaks HTTP/1.1 only."},
}

// badRequest returns the whole response to a request that net/http can't parse.
// refusal is how net/http would have answered, from the status on.
func (s *Server) badRequest(refusal []byte) []byte {
	detail := "The daemon can't read this as an HTTP/1.1 request."
	line, _, _ := bytes.Cut(refusal, []byte("\r\n"))
	for _, header := range malformedHeaders {
		if bytes.HasSuffix(line, []byte(": "+header.said)) {
			detail = header.detail
		}
	}
	problem := ipc.NewProblem(ipc.CodeMalformedRequest, detail)
	if bytes.HasPrefix(refusal, strconv.AppendInt(nil, http.StatusRequestHeaderFieldsTooLarge, 10)) {
		problem = ipc.Problemf(ipc.CodeRequestTooLarge, "The header of a request may have about %d bytes.", s.opts.MaxHeaderBytes)
	}
	return s.wholeResponse(problem)
}

// wholeResponse returns a response to a request that no handler sees. It is the
// connection's last.
func (s *Server) wholeResponse(problem *ipc.Problem) []byte {
	sent := complete(problem, s.newRequestID())
	body, err := json.Marshal(sent)
	if err != nil {
		s.opts.Logger.Error("encode a problem", "error", err)
	}
	s.opts.Observer.Request("", sent.Status, sent.Code, 0)
	var again string
	if after := sent.RetryAfter(); after > 0 {
		again = "Retry-After: " + retryAfterHeader(after) + "\r\n"
	}
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\nDate: %s\r\nX-Request-Id: %s\r\n%sConnection: close\r\n\r\n%s\n",
		sent.Status, http.StatusText(sent.Status), problemType[0], len(body)+1,
		s.opts.Now().UTC().Format(http.TimeFormat), sent.RequestID, again, body)
}
