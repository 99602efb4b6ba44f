package server

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// Signing is the daemon's [Service]. It translates between the wire and the
// signer, and decides nothing itself.
type Signing struct {
	Signer  *signer.Signer
	KeySets *keyset.Active
	Limiter *ratelimit.Limiter
	Now     func() time.Time
	// Readiness answers GET /v1/ready, with every key set that can't sign.
	Readiness func() ipc.ReadyResponse
	// BatchWidth is how many requests of a batch run at a time, within the
	// client's cap on requests in flight.
	BatchWidth int
}

var _ Service = (*Signing)(nil)

// Assert implements Service.
func (s *Signing) Assert(ctx context.Context, from caller.Caller, req ipc.AssertionRequest) (ipc.AssertionResponse, error) {
	request, err := requestOf(req)
	if err != nil {
		return ipc.AssertionResponse{}, err
	}
	assertion, err := s.Signer.Assert(ctx, from, request)
	return assertion, signer.ProblemOf(err)
}

// AssertBatch implements Service. The requests of a batch are independent: each
// is decided, limited and recorded like a single request.
func (s *Signing) AssertBatch(ctx context.Context, from caller.Caller, reqs []ipc.AssertionRequest) []ipc.BatchResult {
	results := make([]ipc.BatchResult, len(reqs))
	var next atomic.Int64
	var wait sync.WaitGroup
	for range s.width(from, reqs) {
		wait.Go(func() { // one goroutine for many requests, since its stack grows only once
			for i := next.Add(1) - 1; i < int64(len(reqs)); i = next.Add(1) - 1 {
				results[i] = s.batchResult(ctx, from, reqs[i])
			}
		})
	}
	wait.Wait()
	return results
}

// width returns how many requests of a batch run at a time. A batch by itself
// must not exceed its client's cap.
func (s *Signing) width(from caller.Caller, reqs []ipc.AssertionRequest) int {
	grants := make([]string, len(reqs))
	for i := range reqs {
		grants[i] = reqs[i].Grant
	}
	width := min(s.BatchWidth, len(reqs))
	if most := s.Signer.CurrentPolicy().InFlight(from, grants); most > 0 {
		width = min(width, most)
	}
	return width
}

func (s *Signing) batchResult(ctx context.Context, from caller.Caller, req ipc.AssertionRequest) ipc.BatchResult {
	response, err := s.Assert(ctx, from, req)
	if err == nil {
		return ipc.BatchResult{Assertion: &response}
	}
	var problem *ipc.Problem
	if !errors.As(err, &problem) {
		problem = ipc.NewProblem(ipc.CodeInternal, "")
	}
	return ipc.BatchResult{Problem: problem}
}

// Sign implements Service.
func (s *Signing) Sign(ctx context.Context, from caller.Caller, req ipc.SignRequest) (ipc.SignResponse, error) {
	signature, err := s.Signer.Sign(ctx, from, req)
	return signature, signer.ProblemOf(err)
}

// Grants implements Service.
func (s *Signing) Grants(_ context.Context, from caller.Caller) (ipc.GrantsResponse, error) {
	return s.visibleGrants(s.Signer.CurrentPolicy(), from), nil
}

// Keys implements Service.
func (s *Signing) Keys(_ context.Context, from caller.Caller) (ipc.KeysResponse, error) {
	keys, err := s.rawKeys(s.Signer.CurrentPolicy(), from)
	return keys, signer.ProblemOf(err)
}

// JWKS implements Service.
func (s *Signing) JWKS(context.Context) ([]byte, error) {
	content, err := s.KeySets.Ring().Content(keyset.Documents{})
	if err != nil {
		return nil, signer.ProblemOf(err)
	}
	return content.Set.JSON(), nil
}

// Ready implements Service. It doesn't show a caller the key sets of others.
func (s *Signing) Ready(_ context.Context, from caller.Caller) (ipc.ReadyResponse, error) {
	response := s.Readiness()
	if len(response.Degraded) == 0 {
		return response, nil
	}
	visible := s.Signer.CurrentPolicy().Visible(from)
	response.Degraded = slices.DeleteFunc(response.Degraded, func(d ipc.DegradedKey) bool {
		return !slices.ContainsFunc(visible, func(v policy.VisibleGrant) bool { return v.Rule.Key == d.Key })
	})
	return response, nil
}

// requestOf translates a request. The decoder has read each claim as a JSON
// value, so an error is the daemon's fault.
func requestOf(req ipc.AssertionRequest) (policy.Request, error) {
	claims, err := policy.ParseClaims(req.Claims)
	return policy.Request{
		Grant: req.Grant, Audience: req.Audience, Claims: claims,
		Lifetime: time.Duration(req.LifetimeSeconds) * time.Second,
	}, err
}
