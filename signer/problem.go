package signer

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
	"github.com/assertd/assertd/signer/serviceaccount"
)

// The signer's own kinds of refusal and failure. Refusals by policy are
// *policy.Refusal, spent budgets *ratelimit.Exceeded. Each may wrap a detail.
var (
	ErrInFlight = errors.New("too many requests in flight")
	ErrHSM      = errors.New("the HSM did not sign")
	ErrAudit    = errors.New("the audit record could not be written")
	ErrDigest   = errors.New("the digest does not fit the hash")
	ErrUnfit    = errors.New("the token can't sign with this key")
	// ErrHeld is why nothing may be signed now, see Options.Hold.
	ErrHeld = errors.New("signing is on hold")

	// ErrOverloaded and ErrTimeout are an HSM's reasons not to sign.
	ErrOverloaded = errors.New("too many signatures are waiting")
	ErrTimeout    = errors.New("the HSM did not sign in time")
)

// FrozenError means that operators have frozen what a request needs. Its text
// is for the caller: operators see the reason elsewhere.
type FrozenError struct{ ipc.FreezeTarget }

func (e *FrozenError) Error() string {
	what := "all signing"
	switch {
	case e.Key != "":
		what = fmt.Sprintf("key set %q", e.Key)
	case e.Grant != "":
		what = fmt.Sprintf("grant %q of client %q", e.Grant, e.Client)
	case e.Client != "":
		what = fmt.Sprintf("client %q", e.Client)
	}
	return "The operators of assertd have frozen " + what + ". Don't retry; contact them."
}

// How long a caller should wait before it retries, if nothing tells the daemon
// when it will recover.
const (
	retryBusy    = 100 * time.Millisecond // a full queue
	retryRestart = time.Second            // a dead worker or a full disk
	retryPerson  = time.Minute            // what takes an operator
)

// failures maps the kinds of error to the API's codes and to audit outcomes,
// the more specific before the more general. The caller sees the code and this
// table's sentence; the log has the rest.
var failures = []struct {
	err     error
	code    ipc.Code
	outcome string
	detail  string
	retry   time.Duration
}{
	{audit.ErrDamaged, ipc.CodeAuditDamaged, audit.OutcomeFailed, "The audit log was changed or damaged, so nothing is signed. Contact the operators of assertd.", retryPerson},
	{audit.ErrRolledBack, ipc.CodeAuditRolledBack, audit.OutcomeFailed, "The audit log was rolled back, so nothing is signed. Contact the operators of assertd.", retryPerson},
	{ErrHeld, ipc.CodeAuditUnavailable, audit.OutcomeFailed, "Too few witnesses have cosigned the audit log lately, so nothing is signed. Try again; the daemon's log has the cause.", retryRestart},
	{ErrAudit, ipc.CodeAuditUnavailable, audit.OutcomeFailed, "The decision could not be recorded, so nothing was released. Try again; the daemon's log has the cause.", retryRestart},
	{ratelimit.ErrUnavailable, ipc.CodeBudgetUnavailable, audit.OutcomeFailed, "A budget that this grant shares with other hosts can't be checked now. Try again; the daemon's log has the cause.", retryRestart},
	{ErrInFlight, ipc.CodeInFlightLimit, audit.OutcomeRefused, "This client has reached its limit of requests in flight. Wait for responses before you send more.", retryBusy},
	{ErrUnfit, ipc.CodeKeyNotAvailable, audit.OutcomeFailed, "The HSM can't sign with the key of this grant. Contact the operators of assertd.", retryRestart},
	{keyset.ErrUnread, ipc.CodeHSMUnavailable, audit.OutcomeFailed, "The HSM that may hold the key of this grant can't be reached. Try again; the daemon's log has the cause.", retryRestart},
	{keyset.ErrNoKey, ipc.CodeKeyNotAvailable, audit.OutcomeFailed, "No version of the grant's key set can sign now. Contact the operators of assertd.", retryRestart},
	{ErrOverloaded, ipc.CodeOverloaded, audit.OutcomeFailed, "The daemon's signing queue is full. Slow down and try again.", retryBusy},
	{ErrTimeout, ipc.CodeTimeout, audit.OutcomeFailed, "The HSM did not sign in time. Try again.", retryRestart},
	{context.DeadlineExceeded, ipc.CodeTimeout, audit.OutcomeFailed, "The request took too long. Try again.", retryRestart},
	{ErrHSM, ipc.CodeHSMUnavailable, audit.OutcomeFailed, "The HSM can't be reached or does not sign. Try again; the daemon's log has the cause.", retryRestart},
}

// claimCodes are the codes of a profile's objections to a caller's claims.
var claimCodes = map[error]ipc.Code{
	profile.ErrClaimReserved:   ipc.CodeClaimReserved,
	profile.ErrClaimNotAllowed: ipc.CodeClaimNotAllowed,
	profile.ErrClaimRequired:   ipc.CodeClaimRequired,
}

// ProblemOf returns the *ipc.Problem that the caller gets for an error, or the
// error itself if the caller may not see it, or if the caller hung up: the HSM
// isn't at fault then.
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
// hung up before it was signed. The API has none: there is nobody to answer.
const CodeCallerLeft = "caller-left"

// callerLeft reports whether a request was given up because its caller hung up.
// A record that could not be written is a failure even if nobody is waiting.
func callerLeft(err error) bool {
	return errors.Is(err, context.Canceled) && !errors.Is(err, ErrAudit)
}

// outcomeOf returns the audit outcome and code of a decision.
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

// classify returns the problem and the outcome of an error. The problem is nil
// if the caller may not see the error.
func classify(err error) (*ipc.Problem, string) {
	// A failed record hides the decision it was for, so it goes first.
	if !errors.Is(err, ErrAudit) {
		if problem := refusalOf(err); problem != nil {
			return problem, audit.OutcomeRefused
		}
	}
	for _, f := range failures {
		if errors.Is(err, f.err) {
			return ipc.NewProblem(f.code, detailOf(err, f.detail)).WithRetryAfter(retryOf(err, f.retry)), f.outcome
		}
	}
	return nil, audit.OutcomeFailed
}

// detailOf says why no version of a key set signs, as far as callers may know.
// Otherwise the sentence is that of the table.
func detailOf(err error, otherwise string) string {
	var noKey *keyset.NoKeyError
	if !errors.Is(err, ErrAudit) && errors.As(err, &noKey) && noKey.Public != "" {
		return fmt.Sprintf("Key set %q can't sign: %s. Contact the operators of assertd.", noKey.Set, noKey.Public)
	}
	return otherwise
}

// retryOf returns when to try again: what the shared budgets say, or what the
// table does.
func retryOf(err error, otherwise time.Duration) time.Duration {
	var budget *ratelimit.Unavailable
	if !errors.Is(err, ErrAudit) && errors.As(err, &budget) && budget.RetryAfter > 0 {
		return budget.RetryAfter
	}
	return otherwise
}

// refusalOf returns the problem of a refusal whose detail is written for the
// caller, nil for other errors.
func refusalOf(err error) *ipc.Problem {
	var refusal *policy.Refusal
	if errors.As(err, &refusal) {
		return ipc.NewProblem(ipc.Code(refusal.Code), refusal.Detail)
	}
	var claim *profile.ClaimError
	if errors.As(err, &claim) && claimCodes[claim.Kind] != "" {
		return ipc.NewProblem(claimCodes[claim.Kind], claim.Error())
	}
	var frozen *FrozenError
	if errors.As(err, &frozen) {
		return ipc.NewProblem(ipc.CodeFrozen, frozen.Error())
	}
	var exceeded *ratelimit.Exceeded
	if errors.As(err, &exceeded) {
		return ipc.Problemf(ipc.CodeRateLimited, "Budget %q of %v is spent. Try again in %s.",
			exceeded.Budget, exceeded.Window, exceeded.Wait()).WithRetryAfter(exceeded.RetryAfter)
	}
	var account *serviceaccount.Error
	if errors.As(err, &account) {
		return ipc.NewProblem(account.Code, account.Detail)
	}
	var digest digestError
	if errors.As(err, &digest) {
		return ipc.NewProblem(ipc.CodeMalformedRequest, digest.Error())
	}
	return nil
}
