package signer

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// Whatever callers do and however long the HSM is away, the log has one line of
// each kind in ten seconds, with the number of those left out.
func TestRequestsDoNotFillTheLog(t *testing.T) {
	log, now := &logtest.Journal{}, time.Unix(0, 0)
	clock := func() time.Time { return now }
	s := &Signer{log: noLog{}, observer: noObserver{}, logger: log, throttle: logging.NewThrottle(clock), now: clock}
	record := func(client string, outcome error) {
		d := s.newDecision(t.Context(), audit.KindAssertion, caller.Caller{})
		d.Client = client
		if err := s.release(t.Context(), d, outcome); err != outcome {
			t.Error(err)
		}
	}
	away, refused := wrapped(ErrHSM), &policy.Refusal{Code: policy.AudienceNotAllowed}
	second := func() {
		for range 500 {
			record("a", away)
			record("b", away)
			record("a", wrapped(keyset.ErrNoKey))
			record("a", refused)
			record("b", refused)
			record("", &policy.Refusal{Code: policy.UnknownCaller})
			record("a", fmt.Errorf("%w: %w", ErrHSM, context.Canceled))
		}
		now = now.Add(time.Second)
	}
	second()
	lines := log.Take()
	if text := strings.Join(lines, "\n"); len(lines) != 5 || strings.Count(text, "ERROR request failed") != 2 || strings.Contains(text, "suppressed") {
		t.Errorf("in the first second\n%s", text)
	}
	for range 9 {
		second()
	}
	if lines = log.Take(); len(lines) != 0 {
		t.Errorf("until the tenth\n%s", strings.Join(lines, "\n"))
	}
	second()
	lines = log.Take()
	for code, want := range map[string]string{string(ipc.CodeHSMUnavailable): "suppressed 9999", string(ipc.CodeKeyNotAvailable): "suppressed 4999"} {
		if text := strings.ReplaceAll(strings.Join(lines, "\n"), "suppressed", "suppressed "); len(lines) != 5 || !strings.Contains(text, code) || !strings.Contains(text, want) {
			t.Errorf("then\n%s", text)
		}
	}
}
