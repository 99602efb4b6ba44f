package signer

import (
	"context"
	"errors"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// The kinds of refusal and failure that are the signer's own. Refusals by
// policy are *policy.Refusal, spent budgets *ratelimit.Exceeded. Each may wrap
// a detail.
var (
	ErrInFlight = errors.New("too many requests in flight")
	ErrHSM      = errors.New("the HSM did not sign")
	ErrAudit    = errors.New("the audit record could not be written")
	ErrDigest   = errors.New("the digest does not fit the hash")

	// ErrOverloaded and ErrTimeout are an HSM's reasons not to sign.
	ErrOverloaded = errors.New("too many signatures are waiting")
	ErrTimeout    = errors.New("the HSM did not sign in time")
)

// How long a caller should wait before it retries, where all that is known is
// that the daemon is working on it.
const (
	retryBusy    = 100 * time.Millisecond // a full queue
	retryRestart = time.Second            // a worker or a disk that is away
)

// failures maps the kinds of error to the API's codes and to audit outcomes, the
// more specific before the more general. The caller sees the code and this
// table's sentence; the log has the rest.
var failures = []struct {
	err     error
	code    ipc.Code
	outcome string
	detail  string
	retry   time.Duration
}{
	{ErrAudit, ipc.CodeAuditUnavailable, audit.OutcomeFailed, "The decision could not be recorded, so nothing was released. Try again; the operators have been alerted.", retryRestart},
	{ErrInFlight, ipc.CodeInFlightLimit, audit.OutcomeRefused, "This client has reached its limit of requests in flight. Wait for responses before you send more.", retryBusy},
	{keyset.ErrNoKey, ipc.CodeKeyNotAvailable, audit.OutcomeFailed, "No version of the grant's key set can sign now. Contact the operators of assertd.", retryRestart},
	{ErrOverloaded, ipc.CodeOverloaded, audit.OutcomeFailed, "The daemon's signing queue is full. Slow down and try again.", retryBusy},
	{ErrTimeout, ipc.CodeTimeout, audit.OutcomeFailed, "The HSM did not sign in time. Try again.", retryRestart},
	{context.DeadlineExceeded, ipc.CodeTimeout, audit.OutcomeFailed, "The request took too long. Try again.", retryRestart},
	{ErrHSM, ipc.CodeHSMUnavailable, audit.OutcomeFailed, "The HSM can't be reached or does not sign. Try again; the operators have been alerted.", retryRestart},
}

// claimCodes are the codes of a profile's objections to a caller's claims.
var claimCodes = map[error]ipc.Code{
	profile.ErrClaimReserved:   ipc.CodeClaimReserved,
	profile.ErrClaimNotAllowed: ipc.CodeClaimNotAllowed,
	profile.ErrClaimRequired:   ipc.CodeClaimRequired,
}

// ProblemOf returns the *ipc.Problem that the caller gets for an error, or the
// error itself if the caller may not see it. That a caller left is for the server
// to see: the HSM that was being asked has no problem.
func ProblemOf(err error) error {
	if err == nil || callerLeft(err) {
		return err
	}
	if problem, _ := classify(err); problem != nil {
		return problem
	}
	return err
}

// CodeCallerLeft is the code, in the audit log only, of a request whose caller
// was gone before it was signed. The API has none: there is nobody to answer.
const CodeCallerLeft = "caller-left"

// callerLeft reports whether a request was given up because its caller had gone.
// A record that could not be written is a failure even if nobody is waiting.
func callerLeft(err error) bool {
	return errors.Is(err, context.Canceled) && !errors.Is(err, ErrAudit)
}

// outcomeOf gives the audit outcome and code of a decision.
func outcomeOf(err error) (outcome, code string) {
	switch {
	case err == nil:
		return audit.OutcomeAllowed, ""
	case callerLeft(err):
		return audit.OutcomeFailed, CodeCallerLeft
	}
	problem, outcome := classify(err)
	if problem == nil {
		return audit.OutcomeFailed, string(ipc.CodeInternal)
	}
	return outcome, string(problem.Code)
}

// classify gives the problem and the outcome of an error; no problem where the
// caller may not know the error.
func classify(err error) (*ipc.Problem, string) {
	// A failed record hides the outcome that it was for, so it goes first.
	if !errors.Is(err, ErrAudit) {
		if problem := refusalOf(err); problem != nil {
			return problem, audit.OutcomeRefused
		}
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return ipc.NewProblem(f.code, f.detail).WithRetryAfter(f.retry), f.outcome
		}
	}
	return nil, audit.OutcomeFailed
}

// refusalOf gives the problem of a refusal whose detail is written for the caller.
func refusalOf(err error) *ipc.Problem {
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		return ipc.NewProblem(ipc.Code(refusal.Code), refusal.Detail)
	}
	var claim *profile.ClaimError
	if errors.As(err, &claim) && claimCodes[claim.Kind] != "" {
		return ipc.NewProblem(claimCodes[claim.Kind], claim.Error())
	}
	var exceeded *ratelimit.Exceeded
	if errors.As(err, &exceeded) {
		return ipc.NewProblem(ipc.CodeRateLimited, exceeded.Error()).WithRetryAfter(exceeded.RetryAfter)
	}
	if errors.Is(err, ErrDigest) {
		return ipc.NewProblem(ipc.CodeMalformedRequest, err.Error())
	}
	return nil
}
