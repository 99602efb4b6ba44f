package server

import (
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

// When to try again where the service does not know better.
const (
	retryOverloaded = time.Second
	retryDraining   = time.Second
)

// Media types, as header values that are shared by all answers.
var (
	jsonType    = []string{"application/json"}
	jwksType    = []string{"application/jwk-set+json"} // RFC 7517, section 8.5.2
	problemType = []string{"application/problem+json"} // RFC 9457
	noStore     = []string{"no-store"}                 // RFC 9111; an assertion is used once
	closing     = []string{"close"}                    // RFC 9112, section 9.6
)

// answer is a response before it is written.
type answer struct {
	status    int
	mediaType []string
	body      []byte

	code       ipc.Code // of a problem
	allow      string
	retryAfter time.Duration
	close      bool
}

func jsonAnswer(v any, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	body, err := json.Marshal(v)
	if err != nil {
		return answer{}, fmt.Errorf("encode the answer: %w", err)
	}
	return answer{status: http.StatusOK, mediaType: jsonType, body: append(body, '\n')}, nil
}

func (a answer) write(w http.ResponseWriter, id string) {
	h := w.Header()
	h["Content-Type"] = a.mediaType
	h["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	h["Cache-Control"] = noStore
	h["X-Request-Id"] = []string{id}
	if a.allow != "" {
		h["Allow"] = []string{a.allow}
	}
	if a.retryAfter > 0 {
		h["Retry-After"] = []string{retryAfterHeader(a.retryAfter)}
	}
	if a.close {
		h["Connection"] = closing
	}
	w.WriteHeader(a.status)
	w.Write(a.body) // a peer that is gone needs no answer
}

// retryAfterHeader rounds up to whole seconds (RFC 9110, section 10.2.3).
func retryAfterHeader(d time.Duration) string {
	return strconv.Itoa(int(math.Ceil(d.Seconds())))
}

// problemAnswer is the one place where errors become answers: problems as they
// are, any other error as a word to the peer and in full to the log.
func (s *Server) problemAnswer(err error, id string, r *http.Request) answer {
	var allow string
	var method *methodError
	if errors.As(err, &method) {
		allow = method.allow
	}
	sent := s.finished(s.problemOf(r.Context(), err, id), id)
	body, err := json.Marshal(sent)
	if err != nil {
		s.opts.Logger.Error("encode a problem", "request_id", id, "error", err)
	}
	return answer{
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
		s.log.error("a problem outside the table", "request_id", id, "code", string(problem.Code), "error", err)
	case callerLeft(ctx, err):
		s.opts.Logger.Debug("the caller left", "request_id", id, "error", err)
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		s.log.error("request timed out", "request_id", id, "error", err)
		return ipc.NewProblem(ipc.CodeTimeout, "the daemon did not answer in time; try again").WithRetryAfter(retryOverloaded)
	default:
		s.log.error("request failed", "request_id", id, "error", err)
	}
	return ipc.NewProblem(ipc.CodeInternal, "")
}

// statusCallerLeft is what a request counts as whose caller had gone: nobody is
// sent it. It is no code of RFC 9110; web servers have it in their logs.
const statusCallerLeft = 499

// callerLeft tells whether a request came to nothing because its caller had gone,
// and not for a reason that the service gave.
func callerLeft(ctx context.Context, err error) bool {
	var problem *ipc.Problem
	return err != nil && ctx.Err() != nil && !errors.As(err, &problem)
}

// checkResults holds the problems of a batch to what a problem of its own is held
// to, and gives each result exactly one member.
func (s *Server) checkResults(ctx context.Context, results []ipc.BatchResult) []ipc.BatchResult {
	id := caller.RequestID(ctx)
	checked := make([]ipc.BatchResult, len(results))
	for i, r := range results {
		switch {
		case r.Problem == nil && r.Assertion != nil:
			checked[i] = r
		case r.Problem != nil && r.Assertion == nil:
			checked[i].Problem = s.finished(s.problemOf(ctx, r.Problem, id), id)
		default:
			checked[i].Problem = s.finished(s.problemOf(ctx, errors.New("a result of a batch is not one thing"), id), id)
		}
	}
	return checked
}

// finished returns the problem as it is sent: a copy, since a service may return
// one value again and again.
func (s *Server) finished(p *ipc.Problem, id string) *ipc.Problem {
	sent := p.WithRetryAfter(retryAfter(p))
	sent.RequestID = id
	return sent
}

// retryAfter makes sure that every 429 and 503 says when to try again.
func retryAfter(p *ipc.Problem) time.Duration {
	d := p.RetryAfter()
	if d == 0 && (p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable) {
		return time.Second
	}
	return d
}

// unreadable is the whole response to a request that net/http can't read; given
// is the status that it would have answered with.
func (s *Server) unreadable(given []byte) []byte {
	problem := ipc.NewProblem(ipc.CodeMalformedRequest, "this is not an HTTP/1.1 request that the daemon can read")
	if string(given) == strconv.Itoa(http.StatusRequestHeaderFieldsTooLarge) {
		problem = ipc.Problemf(ipc.CodeRequestTooLarge, "a request's header may have about %d bytes", s.opts.MaxHeaderBytes)
	}
	problem.RequestID = s.newRequestID()
	body, err := json.Marshal(problem)
	if err != nil {
		s.opts.Logger.Error("encode a problem", "error", err)
	}
	s.opts.Observer.Request("", problem.Status, problem.Code, 0)
	return fmt.Appendf(nil, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nCache-Control: no-store\r\nDate: %s\r\nX-Request-Id: %s\r\nConnection: close\r\n\r\n%s\n",
		problem.Status, http.StatusText(problem.Status), problemType[0], len(body)+1,
		s.opts.Now().UTC().Format(http.TimeFormat), problem.RequestID, body)
}
