package server

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// route is one call of the API. The body is nil for GET.
type route struct {
	method, path string
	handle       func(s *Server, ctx context.Context, from caller.Caller, body []byte) (response, error)
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
	switch {
	case allowed == nil && isOperatorPath(r.URL.Path):
		return route{}, ipc.NewProblem(ipc.CodeNotFound, "Only the operator socket has this path, and this is a callers' socket.")
	case allowed == nil:
		return route{}, ipc.NewProblem(ipc.CodeNotFound, "The API has no such path. Its paths start with /v1/; openapi.yaml lists them.")
	}
	allow := strings.Join(allowed, ", ")
	return route{}, &methodError{ipc.Problemf(ipc.CodeMethodNotAllowed, "Use %s for this path.", allow), allow}
}

// methodError is the problem method-not-allowed with its Allow header (RFC
// 9110, section 15.5.6).
type methodError struct {
	*ipc.Problem
	allow string
}

func (e *methodError) Unwrap() error { return e.Problem }

func (s *Server) assert(ctx context.Context, from caller.Caller, body []byte) (response, error) {
	req, err := decodeAssertion(body)
	if err != nil {
		return response{}, err
	}
	return jsonResponse(s.service.Assert(ctx, from, req))
}

func (s *Server) assertBatch(ctx context.Context, from caller.Caller, body []byte) (response, error) {
	req, err := decodeBatch(body)
	if err != nil {
		return response{}, err
	}
	results := s.service.AssertBatch(ctx, from, req.Requests)
	if len(results) != len(req.Requests) {
		return response{}, errors.New("the batch has a different number of results than requests")
	}
	return jsonResponse(ipc.BatchResponse{Results: s.checkResults(ctx, results)}, nil)
}

func (s *Server) sign(ctx context.Context, from caller.Caller, body []byte) (response, error) {
	req, err := decodeSign(body)
	if err != nil {
		return response{}, err
	}
	return jsonResponse(s.service.Sign(ctx, from, req))
}

func (s *Server) grants(ctx context.Context, from caller.Caller, _ []byte) (response, error) {
	return jsonResponse(s.service.Grants(ctx, from))
}

func (s *Server) keys(ctx context.Context, from caller.Caller, _ []byte) (response, error) {
	return jsonResponse(s.service.Keys(ctx, from))
}

func (s *Server) jwks(ctx context.Context, _ caller.Caller, _ []byte) (response, error) {
	set, err := s.service.JWKS(ctx)
	return response{status: http.StatusOK, mediaType: jwksType, body: set}, err
}

func (s *Server) health(context.Context, caller.Caller, []byte) (response, error) {
	return jsonResponse(ipc.HealthResponse{Status: "ok", Version: s.opts.Version}, nil)
}

func (s *Server) ready(ctx context.Context, from caller.Caller, _ []byte) (response, error) {
	ready, err := s.service.Ready(ctx, from)
	resp, err := jsonResponse(ready, err)
	if !ready.Ready {
		resp.status, resp.retryAfter = http.StatusServiceUnavailable, retrySoon
	}
	return resp, err
}
