package server

import (
	"context"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// Service handles the requests. It must be safe for concurrent use.
//
// The context ends when the caller leaves, when the request's time is up, or
// when a drain takes too long. It carries the request's ID; see
// [caller.RequestID]. An error that is or wraps an [*ipc.Problem] is sent to
// the caller as it is. Any other error is logged in full and answered with
// [ipc.CodeInternal], or with [ipc.CodeTimeout] if it is
// context.DeadlineExceeded.
type Service interface {
	// Assert decides, signs and records one assertion.
	Assert(ctx context.Context, from caller.Caller, req ipc.AssertionRequest) (ipc.AssertionResponse, error)
	// AssertBatch answers 1 to MaxBatch requests, with one result for each, in
	// order.
	AssertBatch(ctx context.Context, from caller.Caller, reqs []ipc.AssertionRequest) []ipc.BatchResult
	// Sign makes one raw signature.
	Sign(ctx context.Context, from caller.Caller, req ipc.SignRequest) (ipc.SignResponse, error)
	// Grants describes what the caller may have signed.
	Grants(ctx context.Context, from caller.Caller) (ipc.GrantsResponse, error)
	// Keys returns the raw key sets that the caller may use.
	Keys(ctx context.Context, from caller.Caller) (ipc.KeysResponse, error)
	// JWKS returns the public JWK set (RFC 7517, section 5), encoded.
	JWKS(ctx context.Context) ([]byte, error)
	// Ready says whether the daemon can sign now, and which key sets of the caller
	// can't.
	Ready(ctx context.Context, from caller.Caller) (ipc.ReadyResponse, error)
}
