package kubesigner

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
	externaljwt "k8s.io/externaljwt/apis/v1"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// Routes returns the full names of the methods, for metrics.
func Routes() []string {
	return []string{externaljwt.ExternalJWTSigner_Sign_FullMethodName, externaljwt.ExternalJWTSigner_FetchKeys_FullMethodName, externaljwt.ExternalJWTSigner_Metadata_FullMethodName}
}

// intercept handles one call: it names it, bounds its time, counts it, and
// translates its error.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	start := s.opts.Now()
	if c, ok := ctx.Value(callKey{}).(*call); ok {
		c.handled.Store(true)
	}
	id := s.newRequestID()
	ctx, cancel := context.WithTimeout(caller.WithRequestID(ctx, id), callTimeout)
	defer cancel()
	response, err := s.call(ctx, req, handler)
	code, httpStatus := codeOf(err)
	s.opts.Observer.Request(info.FullMethod, httpStatus, code, s.opts.Now().Sub(start))
	s.opts.Logger.Debug("call", "request_id", id, "method", info.FullMethod, "code", string(code))
	if err == nil {
		return response, nil
	}
	if code == ipc.CodeInternal {
		s.throttle.Log(s.opts.Logger.Error, "failed", "call failed", "request_id", id, "method", info.FullMethod, "error", err)
	}
	return nil, statusOf(err)
}

// call runs the handler for a caller that the daemon can tell from others.
func (s *Server) call(ctx context.Context, req any, handler grpc.UnaryHandler) (response any, err error) {
	defer func() {
		if reason := recover(); reason != nil {
			s.throttle.Log(s.opts.Logger.Error, "panic", "panic", "request_id", caller.RequestID(ctx), "panic", reason, "stack", string(debug.Stack()))
			response, err = nil, ipc.NewProblem(ipc.CodeInternal, "")
		}
	}()
	c := connOf(ctx)
	switch {
	case c == nil:
		return nil, errors.New("the call did not come from the socket")
	case c.Unmapped():
		return nil, ipc.NewProblem(ipc.CodeUnknownCaller, "The token signer can't tell the user of the process that asks for tokens from others.")
	}
	c.calls.Add(1)
	defer c.calls.Add(-1)
	return handler(ctx, req)
}

// newRequestID returns 24 hexadecimal digits, as the other sockets do.
func (s *Server) newRequestID() string {
	var id [12]byte
	if _, err := io.ReadFull(s.random, id[:]); err != nil {
		s.opts.Logger.Error("no randomness for request IDs", "error", err)
	}
	return hex.EncodeToString(id[:])
}

func (s *Server) warn(kind, msg string, fields ...any) {
	s.throttle.Log(s.opts.Logger.Warn, kind, msg, fields...)
}

// answers maps the API's codes to gRPC's, with a sentence for the person who
// asked the cluster for a token. Without one, the problem's own detail was
// written for them.
var answers = map[ipc.Code]struct {
	code codes.Code
	text string
}{
	ipc.CodeMalformedRequest:   {codes.InvalidArgument, ""},
	ipc.CodeRequestTooLarge:    {codes.InvalidArgument, ""},
	ipc.CodeUnknownCaller:      {codes.PermissionDenied, ""},
	ipc.CodeKeyNotAllowed:      {codes.PermissionDenied, ""},
	ipc.CodeGrantAmbiguous:     {codes.PermissionDenied, ""},
	ipc.CodeClaimNotAllowed:    {codes.PermissionDenied, ""},
	ipc.CodeAudienceRequired:   {codes.PermissionDenied, ""},
	ipc.CodeAudienceNotAllowed: {codes.PermissionDenied, ""},
	ipc.CodeLifetimeNotAllowed: {codes.PermissionDenied, ""},

	ipc.CodeFrozen: {codes.PermissionDenied, "The token signer's operators have frozen it."},

	ipc.CodeRateLimited:   {codes.ResourceExhausted, "The token signer is at its limit. Try again later."},
	ipc.CodeInFlightLimit: {codes.ResourceExhausted, "The token signer is at its limit. Try again later."},

	ipc.CodeKeyNotAvailable:   {codes.Unavailable, away},
	ipc.CodeHSMUnavailable:    {codes.Unavailable, away},
	ipc.CodeOverloaded:        {codes.Unavailable, away},
	ipc.CodeDraining:          {codes.Unavailable, away},
	ipc.CodeTimeout:           {codes.Unavailable, away},
	ipc.CodeAuditUnavailable:  {codes.Unavailable, away},
	ipc.CodeBudgetUnavailable: {codes.Unavailable, away},
	ipc.CodeAuditDamaged:      {codes.Unavailable, away},
	ipc.CodeAuditRolledBack:   {codes.Unavailable, away},
}

const away = "The token signer can't sign now. Try again."

// statusOf returns what the caller gets for an error. An unknown error says
// nothing.
func statusOf(err error) error {
	var problem *ipc.Problem
	if errors.As(err, &problem) {
		if answer, ok := answers[problem.Code]; ok {
			text := answer.text
			if text == "" {
				text = problem.Detail
			}
			return status.Error(answer.code, text)
		}
	}
	if errors.Is(err, context.Canceled) {
		return status.Error(codes.Canceled, "The call was canceled.")
	}
	return status.Error(codes.Internal, "The token signer failed. Its log has the cause.")
}

// statusCallerLeft is the status of a call whose caller left, as on the other
// sockets.
const statusCallerLeft = 499

// codeOf returns the code of an error, and its HTTP status, for metrics.
func codeOf(err error) (ipc.Code, int) {
	var problem *ipc.Problem
	switch {
	case err == nil:
		return "", http.StatusOK
	case errors.As(err, &problem):
		return problem.Code, problem.Status
	case errors.Is(err, context.Canceled):
		return "", statusCallerLeft
	}
	return ipc.CodeInternal, http.StatusInternalServerError
}

// call is one call, as gRPC sees it.
type call struct {
	method  string
	handled atomic.Bool // by intercept
}

type callKey struct{}

// unhandled counts the calls that gRPC refuses by itself: messages that are too
// long or not a message, and methods that don't exist.
type unhandled struct{ server *Server }

var _ stats.Handler = unhandled{}

// TagRPC implements stats.Handler.
func (unhandled) TagRPC(ctx context.Context, info *stats.RPCTagInfo) context.Context {
	return context.WithValue(ctx, callKey{}, &call{method: info.FullMethodName})
}

// HandleRPC implements stats.Handler.
func (u unhandled) HandleRPC(ctx context.Context, event stats.RPCStats) {
	end, ok := event.(*stats.End)
	c, known := ctx.Value(callKey{}).(*call)
	if !ok || !known || end.Error == nil || c.handled.Load() {
		return
	}
	code := ipc.CodeMalformedRequest
	if status.Code(end.Error) == codes.ResourceExhausted {
		code = ipc.CodeRequestTooLarge
	}
	u.server.opts.Observer.Request(c.method, code.Status(), code, end.EndTime.Sub(end.BeginTime))
	u.server.warn("unhandled", "refused a call that can't be read", "code", string(code))
}

// TagConn implements stats.Handler.
func (unhandled) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }

// HandleConn implements stats.Handler.
func (unhandled) HandleConn(context.Context, stats.ConnStats) {}
