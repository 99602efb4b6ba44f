package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/server"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// service is what the callers' sockets serve: it translates between the wire
// and the use case, and decides nothing.
type service struct {
	signer *signer.Signer
	views  *views
	ready  func() ipc.ReadyResponse
	// batch bounds how many requests of one batch are worked on at a time.
	batch int
}

var _ server.Service = (*service)(nil)

// Assert implements server.Service.
func (s *service) Assert(ctx context.Context, who caller.Caller, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	request, err := requestOf(req)
	if err != nil {
		return ipc.AssertionResponse{}, err
	}
	assertion, err := s.signer.Assert(ctx, who, request)
	if err != nil {
		return ipc.AssertionResponse{}, apiError(err)
	}
	return responseOf(assertion), nil
}

// AssertBatch implements server.Service. The requests of a batch are independent:
// each is decided, limited and recorded as if it had come alone.
func (s *service) AssertBatch(ctx context.Context, who caller.Caller, reqs []ipc.AssertionRequest) []ipc.BatchResult {
	results := make([]ipc.BatchResult, len(reqs))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(s.batch, len(reqs)) {
		wait.Go(func() { // for many requests, since the stack that the first made to grow serves the rest
			for i := next.Add(1) - 1; i < int64(len(reqs)); i = next.Add(1) - 1 {
				results[i] = s.batchResult(ctx, who, reqs[i])
			}
		})
	}
	wait.Wait()
	return results
}

func (s *service) batchResult(ctx context.Context, who caller.Caller, req ipc.AssertionRequest) ipc.BatchResult {
	response, err := s.Assert(ctx, who, req)
	if err == nil {
		return ipc.BatchResult{Assertion: &response}
	}
	p, ok := problemOf(err)
	if !ok {
		p = ipc.NewProblem(ipc.CodeInternal, "")
	}
	return ipc.BatchResult{Problem: p}
}

// Sign implements server.Service.
func (s *service) Sign(ctx context.Context, who caller.Caller, req ipc.SignRequest) (ipc.SignResponse, error) {
	signature, err := s.signer.Sign(ctx, who, signer.RawRequest(req))
	if err != nil {
		return ipc.SignResponse{}, apiError(err)
	}
	return ipc.SignResponse(signature), nil
}

// Grants implements server.Service.
func (s *service) Grants(_ context.Context, who caller.Caller) (ipc.GrantsResponse, error) {
	return s.views.grants(s.signer.CurrentPolicy(), who), nil
}

// Keys implements server.Service.
func (s *service) Keys(_ context.Context, who caller.Caller) (ipc.KeysResponse, error) {
	keys, err := s.views.keys(s.signer.CurrentPolicy(), who)
	return keys, apiError(err)
}

// JWKS implements server.Service.
func (s *service) JWKS(context.Context) ([]byte, error) {
	content, err := s.views.published()
	if err != nil {
		return nil, err
	}
	return content.Set.JSON(), nil
}

// Ready implements server.Service.
func (s *service) Ready(context.Context) (ipc.ReadyResponse, error) { return s.ready(), nil }

func requestOf(req ipc.AssertionRequest) (policy.Request, error) {
	claims, err := claimsOf(req.Claims)
	return policy.Request{
		Grant: req.Grant, Audience: req.Audience, Claims: claims,
		Lifetime: time.Duration(req.LifetimeSeconds) * time.Second,
	}, err
}

// claimsOf decodes claim values with their numbers as they were written.
func claimsOf(raw map[string]json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	claims := make(map[string]any, len(raw))
	for name, text := range raw {
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		var value any
		if err := decoder.Decode(&value); err != nil {
			return nil, ipc.Problemf(ipc.CodeMalformedRequest, "The value of claim %q is not JSON.", name)
		}
		claims[name] = value
	}
	return claims, nil
}

func responseOf(a signer.Assertion) ipc.AssertionResponse {
	response := ipc.AssertionResponse{
		Assertion: a.Compact, Kid: a.Kid, Alg: a.Alg, JTI: a.JTI, Grant: a.Grant,
		IssuedAt: a.IssuedAt.Unix(), ExpiresAt: a.ExpiresAt.Unix(),
	}
	if p, ok := profile.Lookup(a.Profile); ok {
		response.AssertionType, response.Send = p.Send.AssertionType(), string(p.Send)
	}
	return response
}
