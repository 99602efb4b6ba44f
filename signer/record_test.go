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
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// journal keeps what is logged, a line each.
type journal struct{ lines []string }

func (j *journal) add(level, message string, args []any) {
	j.lines = append(j.lines, level+" "+message+" "+fmt.Sprint(args...))
}

func (j *journal) Debug(string, ...any)     {}
func (j *journal) Info(m string, a ...any)  { j.add("INFO", m, a) }
func (j *journal) Warn(m string, a ...any)  { j.add("WARN", m, a) }
func (j *journal) Error(m string, a ...any) { j.add("ERROR", m, a) }

// take returns the lines since the last call.
func (j *journal) take() []string {
	lines := j.lines
	j.lines = nil
	return lines
}

// Whatever callers do and however long the HSM is away, the log has one line of
// each kind in ten seconds, with the number of those left out.
func TestRequestsDoNotFillTheLog(t *testing.T) {
	log, now := &journal{}, time.Unix(0, 0)
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
	lines := log.take()
	if text := strings.Join(lines, "\n"); len(lines) != 5 || strings.Count(text, "ERROR request failed") != 2 || strings.Contains(text, "suppressed") {
		t.Errorf("in the first second\n%s", text)
	}
	for range 9 {
		second()
	}
	if lines = log.take(); len(lines) != 0 {
		t.Errorf("until the tenth\n%s", strings.Join(lines, "\n"))
	}
	second()
	lines = log.take()
	for code, want := range map[string]string{string(ipc.CodeHSMUnavailable): "suppressed 9999", string(ipc.CodeKeyNotAvailable): "suppressed 4999"} {
		if text := strings.ReplaceAll(strings.Join(lines, "\n"), "suppressed", "suppressed "); len(lines) != 5 || !strings.Contains(text, code) || !strings.Contains(text, want) {
			t.Errorf("then\n%s", text)
		}
	}
}
