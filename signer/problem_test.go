package signer

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// errInternal stands for what a caller must never read.
var errInternal = errors.New("C_Sign: CKR_DEVICE_ERROR at /run/secrets")

func wrapped(kind error) error { return fmt.Errorf("%w: %w", kind, errInternal) }

func TestEveryErrorHasItsCode(t *testing.T) {
	exceeded := &ratelimit.Exceeded{Budget: "grant/a/b", Window: rate.Window{Limit: 3, Per: time.Minute}, RetryAfter: 20 * time.Second}
	for _, test := range []struct {
		err     error
		want    ipc.Code
		retry   bool
		outcome string
	}{
		{&policy.Refusal{Code: policy.AudienceNotAllowed, Detail: "no"}, ipc.CodeAudienceNotAllowed, false, audit.OutcomeRefused},
		{&profile.ClaimError{Kind: profile.ErrClaimRequired}, ipc.CodeClaimRequired, false, audit.OutcomeRefused},
		{fmt.Errorf("signer: %w", exceeded), ipc.CodeRateLimited, true, audit.OutcomeRefused},
		{&FrozenError{ipc.FreezeTarget{Client: "a", Grant: "b"}}, ipc.CodeFrozen, false, audit.OutcomeRefused},
		{refuseDigest("The message has %d bytes.", 9), ipc.CodeMalformedRequest, false, audit.OutcomeRefused},
		{wrapped(ErrInFlight), ipc.CodeInFlightLimit, true, audit.OutcomeRefused},
		{wrapped(keyset.ErrNoKey), ipc.CodeKeyNotAvailable, true, audit.OutcomeFailed},
		{wrapped(ErrHSM), ipc.CodeHSMUnavailable, true, audit.OutcomeFailed},
		{fmt.Errorf("%w: %w", ErrHSM, wrapped(ErrOverloaded)), ipc.CodeOverloaded, true, audit.OutcomeFailed},
		{fmt.Errorf("%w: %w", ErrHSM, wrapped(ErrTimeout)), ipc.CodeTimeout, true, audit.OutcomeFailed},
		{fmt.Errorf("%w: %w", ErrHSM, context.DeadlineExceeded), ipc.CodeTimeout, true, audit.OutcomeFailed},
		{fmt.Errorf("%w: %w", ErrAudit, audit.ErrDamaged), ipc.CodeAuditDamaged, true, audit.OutcomeFailed},
		{wrapped(ErrHeld), ipc.CodeAuditUnavailable, true, audit.OutcomeFailed},
		{fmt.Errorf("%w: %w", ErrAudit, audit.ErrRolledBack), ipc.CodeAuditRolledBack, true, audit.OutcomeFailed},
		{wrapped(ErrAudit), ipc.CodeAuditUnavailable, true, audit.OutcomeFailed},
		{wrapped(ratelimit.ErrUnavailable), ipc.CodeBudgetUnavailable, true, audit.OutcomeFailed},
		{errInternal, ipc.CodeInternal, false, audit.OutcomeFailed},
	} {
		outcome, code := outcomeOf(test.err)
		if code != string(test.want) || outcome != test.outcome {
			t.Errorf("%v: %s %s, want %s %s", test.err, outcome, code, test.outcome, test.want)
		}
		problem, _ := classify(test.err)
		if problem == nil {
			continue
		}
		if (problem.RetryAfter() > 0) != test.retry {
			t.Errorf("%s: Retry-After %v", code, problem.RetryAfter())
		}
		if person := problem.Code == ipc.CodeAuditDamaged || problem.Code == ipc.CodeAuditRolledBack; person && problem.RetryAfter() < time.Minute {
			t.Errorf("%s: Retry-After %v, although only a person can put it right", code, problem.RetryAfter())
		}
		if d := problem.Detail; len(d) > 2 && (d[0] < 'A' || d[0] > 'Z' || !strings.HasSuffix(d, ".")) {
			t.Errorf("%s: %q is not a sentence", code, d)
		}
		if strings.Contains(problem.Error(), "CKR") || strings.Contains(problem.Error(), "/run") {
			t.Errorf("%s tells the caller %q", code, problem.Error())
		}
	}
}

// A reason without a code of its own would reach the caller as internal,
// without its detail.
func TestEveryReasonHasItsCode(t *testing.T) {
	for _, reason := range policy.Reasons() {
		problem, _ := classify(&policy.Refusal{Code: reason, Detail: "No."})
		if problem == nil || string(problem.Code) != string(reason) || !slices.Contains(ipc.Codes(), problem.Code) {
			t.Errorf("%s: the API answers %+v", reason, problem)
			continue
		}
		if problem.Status < 400 || problem.Status > 499 || problem.Detail != "No." {
			t.Errorf("%s: status %d, detail %q", reason, problem.Status, problem.Detail)
		}
	}
}

// A record that could not be written hides the outcome that it was to hold:
// the caller must not learn from it what would have been decided.
func TestFailedRecordHidesTheRefusal(t *testing.T) {
	err := fmt.Errorf("%w: %w", ErrAudit, &policy.Refusal{Code: policy.UnknownCaller})
	if _, code := outcomeOf(err); code != string(ipc.CodeAuditUnavailable) {
		t.Errorf("code %s", code)
	}
}

// An error that the table does not know stays as it is for the log, and ipc
// answers it as internal.
func TestUnknownErrorsAreNotTranslated(t *testing.T) {
	if err := ProblemOf(errInternal); err != errInternal {
		t.Errorf("became %v", err)
	}
	if ProblemOf(nil) != nil {
		t.Error("nil became an error")
	}
}

// A caller that hangs up is recorded as that, and is not a failure for
// operators: any caller could raise their alarms at will.
func TestCallerThatLeftIsNoFailure(t *testing.T) {
	gone := fmt.Errorf("%w: %w", ErrHSM, fmt.Errorf("wait for the token: %w", context.Canceled))
	if outcome, code := outcomeOf(gone); outcome != audit.OutcomeFailed || code != CodeCallerLeft {
		t.Errorf("%s %s", outcome, code)
	}
	if err := ProblemOf(gone); err != gone {
		t.Errorf("became %v", err)
	}
	if _, code := outcomeOf(fmt.Errorf("%w: %w", ErrAudit, gone)); code != string(ipc.CodeAuditUnavailable) {
		t.Errorf("without a record: %s", code)
	}
}

// A record that is not required fails nothing, so its span must not either.
func TestOptionalRecordFailsNoSpan(t *testing.T) {
	if err := (&Signer{}).auditError(errInternal); err != nil {
		t.Errorf("optional: %v", err)
	}
	if err := (&Signer{auditRequired: true}).auditError(errInternal); !errors.Is(err, ErrAudit) {
		t.Errorf("required: %v", err)
	}
}

// TestRetryAfterOfSharedBudgets checks that callers wait as long as the store
// needs, not for the time of the table.
func TestRetryAfterOfSharedBudgets(t *testing.T) {
	err := wrapped(&ratelimit.Unavailable{RetryAfter: 5 * time.Second})
	if problem, _ := classify(err); problem.Code != ipc.CodeBudgetUnavailable || problem.RetryAfter() != 5*time.Second {
		t.Errorf("%v, Retry-After %v", problem, problem.RetryAfter())
	}
}
