package daemon

import (
	"context"
	"errors"
	"time"

	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// How long a caller should wait before it asks again, where nothing better is
// known than that the daemon is at work on it.
const (
	retryBusy    = 100 * time.Millisecond // a full queue
	retryRestart = time.Second            // a worker or a disk that is away
)

// claimCodes are the codes of what a profile has against a caller's claims.
var claimCodes = map[error]ipc.Code{
	profile.ErrClaimReserved:   ipc.CodeClaimReserved,
	profile.ErrClaimNotAllowed: ipc.CodeClaimNotAllowed,
	profile.ErrClaimRequired:   ipc.CodeClaimRequired,
}

// table maps the errors of the use case to the API's codes, the more special
// before the more general. Details of refusals are written for the caller and
// pass; of everything else the caller sees the code and this table's sentence.
var table = []struct {
	err    error
	code   ipc.Code
	detail string
	retry  time.Duration
}{
	{signer.ErrAudit, ipc.CodeAuditUnavailable, "The decision could not be recorded, so nothing was released. Try again; the operators are warned.", retryRestart},
	{signer.ErrInFlight, ipc.CodeInFlightLimit, "This client has as many requests in flight as it may. Wait for answers before you send more.", retryBusy},
	{keyset.ErrNoKey, ipc.CodeKeyNotAvailable, "No version of the grant's key set may sign now. Tell the operators of assertd.", retryRestart},
	{pool.ErrBusy, ipc.CodeOverloaded, "More signatures are waiting than the daemon queues. Slow down and try again.", retryBusy},
	{pool.ErrTimeout, ipc.CodeTimeout, "The HSM did not sign in time. Try again.", retryRestart},
	{context.DeadlineExceeded, ipc.CodeTimeout, "The request took too long. Try again.", retryRestart},
	{signer.ErrHSM, ipc.CodeHSMUnavailable, "The HSM can't be reached or does not sign. Try again; the operators are warned.", retryRestart},
	{audit.ErrUnavailable, ipc.CodeAuditUnavailable, "The audit log can't be written. Try again; the operators are warned.", retryRestart},
}

// problemOf gives the problem that the caller is told, and false where the
// error is none that a caller may know of.
func problemOf(err error) (*ipc.Problem, bool) {
	var known *ipc.Problem
	if errors.As(err, &known) {
		return known, true
	}
	// A failed record hides the outcome that it belongs to, so it goes first.
	if !errors.Is(err, signer.ErrAudit) {
		if p, ok := refusalOf(err); ok {
			return p, true
		}
	}
	for _, row := range table {
		if errors.Is(err, row.err) {
			return ipc.NewProblem(row.code, row.detail).WithRetryAfter(row.retry), true
		}
	}
	return nil, false
}

// refusalOf gives the problem of a refusal whose detail is the caller's to read.
func refusalOf(err error) (*ipc.Problem, bool) {
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		return ipc.NewProblem(ipc.Code(refusal.Code), refusal.Detail), true
	}
	var claim *profile.ClaimError
	if errors.As(err, &claim) && claimCodes[claim.Kind] != "" {
		return ipc.NewProblem(claimCodes[claim.Kind], claim.Error()), true
	}
	var exceeded *ratelimit.Exceeded
	if errors.As(err, &exceeded) {
		return ipc.NewProblem(ipc.CodeRateLimited, exceeded.Error()).WithRetryAfter(exceeded.RetryAfter), true
	}
	if errors.Is(err, signer.ErrDigest) {
		return ipc.NewProblem(ipc.CodeMalformedRequest, err.Error()), true
	}
	return nil, false
}

// apiError turns an error of the use case into what ipc may send. That a caller left
// is ipc's to see: it is no problem of the HSM's that was being asked.
func apiError(err error) error {
	if err == nil || callerLeft(err) {
		return err
	}
	if p, ok := problemOf(err); ok {
		return p
	}
	return err
}

// codeCallerLeft is the code, in the audit log alone, of a request whose caller
// was gone before it was signed. The API has none: there is nobody to answer.
const codeCallerLeft = "caller-left"

// callerLeft tells whether a request was given up because its caller had gone. A
// record that could not be written is a failure whoever waits.
func callerLeft(err error) bool {
	return errors.Is(err, context.Canceled) && !errors.Is(err, signer.ErrAudit)
}

// outcomeOf names the outcome and code of a decision for audit and metrics.
func outcomeOf(err error) (outcome, code string) {
	if err == nil {
		return audit.OutcomeAllowed, ""
	}
	p, ok := problemOf(err)
	switch {
	case callerLeft(err):
		return audit.OutcomeFailed, codeCallerLeft
	case !ok:
		return audit.OutcomeFailed, string(ipc.CodeInternal)
	case p.Status >= 500:
		return audit.OutcomeFailed, string(p.Code)
	}
	return audit.OutcomeRefused, string(p.Code)
}
