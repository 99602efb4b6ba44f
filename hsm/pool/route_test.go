package pool

import (
	"errors"
	"testing"
	"time"
)

// A token whose workers are gone says why, even before an attempt to replace
// one has failed.
func TestUnavailableHasACause(t *testing.T) {
	first, second, start := errors.New("first"), errors.New("second"), errors.New("start")
	lost := newToken(TokenConfig{Name: "lost"}, 0, 2)
	r := &route{tokens: []*token{lost, newToken(TokenConfig{Name: "never seen"}, 1, 1)}}
	for _, step := range []struct {
		what   string
		change func()
		want   error
	}{
		{"a worker has ended", func() { lost.slots[1].lastErr, lost.slots[1].status.Since = first, time.Unix(1, 0) }, first},
		{"then another", func() { lost.slots[0].lastErr, lost.slots[0].status.Since = second, time.Unix(2, 0) }, second},
		{"a start has failed", func() { lost.lastErr = start }, start},
	} {
		step.change()
		if err := r.unavailable(); !errors.Is(err, ErrUnavailable) || !errors.Is(err, step.want) {
			t.Errorf("%s: %v", step.what, err)
		}
	}
	if err := (&route{tokens: r.tokens[1:]}).unavailable(); err.Error() != ErrUnavailable.Error() {
		t.Errorf("without a cause: %v", err)
	}
}
