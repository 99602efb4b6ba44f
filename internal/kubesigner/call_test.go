package kubesigner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// TestAnswers checks what kube-apiserver, and those who ask it for a token,
// gets for each kind of error.
func TestAnswers(t *testing.T) {
	const internals = "token prod-1, CKR_DEVICE_ERROR at /usr/lib/module.so"
	for name, test := range map[string]struct {
		err  error
		want codes.Code
	}{
		"the HSM is away":      {fmt.Errorf("%w: %s", signer.ErrHSM, internals), codes.Unavailable},
		"the HSM hangs":        {fmt.Errorf("%w: %s", signer.ErrTimeout, internals), codes.Unavailable},
		"the queue is full":    {fmt.Errorf("%w: %s", signer.ErrOverloaded, internals), codes.Unavailable},
		"a token is unread":    {fmt.Errorf("%w: %s", keyset.ErrUnread, internals), codes.Unavailable},
		"no version signs":     {&keyset.NoKeyError{Set: "cluster", Reason: internals, Public: internals}, codes.Unavailable},
		"no record":            {fmt.Errorf("%w: %s", signer.ErrAudit, internals), codes.Unavailable},
		"too many in flight":   {fmt.Errorf("%w: %s", signer.ErrInFlight, internals), codes.ResourceExhausted},
		"the caller left":      {fmt.Errorf("%s: %w", internals, context.Canceled), codes.Canceled},
		"something unexpected": {errors.New(internals), codes.Internal},
	} {
		answer := status.Convert(statusOf(signer.ProblemOf(test.err)))
		if answer.Code() != test.want || strings.Contains(answer.Message(), "prod-1") || strings.Contains(answer.Message(), "cluster") || answer.Message() == "" {
			t.Errorf("%s: got %v %q", name, answer.Code(), answer.Message())
		}
	}
}

// TestEveryReasonHasAnAnswer checks that no refusal of policy looks like a
// fault of the daemon.
func TestEveryReasonHasAnAnswer(t *testing.T) {
	elsewhere := []policy.Reason{ // of other decisions
		policy.GrantNotFound, policy.ClaimReserved, policy.ClaimRequired, policy.HashNotAllowed, policy.PaddingNotAllowed,
	}
	for _, reason := range policy.Reasons() {
		_, answered := answers[ipc.Code(reason)]
		if answered == slices.Contains(elsewhere, reason) {
			t.Errorf("%s: an answer: %v", reason, answered)
		}
	}
}
