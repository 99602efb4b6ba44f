package daemon

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
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// Whatever callers do and however long the HSM is away, the log has a line of each
// kind in ten seconds, with the number of those left out.
func TestRequestsDoNotFillTheLog(t *testing.T) {
	log, now := &journal{}, time.Unix(0, 0)
	r := &recorder{
		log: noAudit{}, logger: log, lines: logging.NewThrottle(func() time.Time { return now }),
		observe: func(signer.Record, audit.Record, time.Duration, error) {},
	}
	record := func(client string, err error) {
		if err := r.Record(t.Context(), signer.Record{Client: client, Err: err}); err != nil {
			t.Error(err)
		}
	}
	away, refused := wrapped(signer.ErrHSM), &policy.Refusal{Code: policy.AudienceNotAllowed}
	second := func() {
		for range 500 {
			record("a", away)
			record("b", away)
			record("a", wrapped(keyset.ErrNoKey))
			record("a", refused)
			record("b", refused)
			record("", &policy.Refusal{Code: policy.UnknownCaller})
			record("a", fmt.Errorf("%w: %w", signer.ErrHSM, context.Canceled))
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
