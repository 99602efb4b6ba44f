package server

import (
	"context"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
)

// Service is what the server serves. It must be safe for concurrent use.
//
// The context ends when the peer is gone, when the request's time is up or when
// the daemon stops waiting for it; [RequestID] finds the request's id in it. An
// error that is a [*Problem], or wraps one, goes to the peer as it is. Any other
// is logged in full and answered with [CodeInternal], or with [CodeTimeout] if it
// is context.DeadlineExceeded.
type Service interface {
	// Assert decides, signs and records one assertion.
	Assert(ctx context.Context, who caller.Caller, req ipc.AssertionRequest) (ipc.AssertionResponse, error)
	// AssertBatch answers 1 to MaxBatch requests, one result for each, in order.
	AssertBatch(ctx context.Context, who caller.Caller, reqs []ipc.AssertionRequest) []ipc.BatchResult
	// Sign makes one raw signature.
	Sign(ctx context.Context, who caller.Caller, req ipc.SignRequest) (ipc.SignResponse, error)
	// Grants says what the peer may have signed.
	Grants(ctx context.Context, who caller.Caller) (ipc.GrantsResponse, error)
	// Keys returns the raw key sets that the peer may use.
	Keys(ctx context.Context, who caller.Caller) (ipc.KeysResponse, error)
	// JWKS returns the public JWK set (RFC 7517, section 5), encoded.
	JWKS(ctx context.Context) ([]byte, error)
	// Ready says whether the daemon could sign now.
	Ready(ctx context.Context) (ipc.ReadyResponse, error)
}
