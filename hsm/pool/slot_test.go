package pool

import (
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
)

// A short-lived worker is replaced after a pause, unless it has answered
// enough.
func TestPauseAfterShortLivedWorkers(t *testing.T) {
	p, err := New(Config{Command: []string{"none"}, Tokens: []TokenConfig{{Name: "t", PIN: hsm.PINSource{File: "/pin"}}}})
	if err != nil {
		t.Fatal(err)
	}
	s, now := p.tokens[0].slots[0], time.Now()
	for n, w := range []struct {
		answered int
		readyAt  time.Time
		want     int
	}{
		{0, now, 1}, {1, now, 2}, {minAnswers - 1, now, 3}, {minAnswers, now, 0}, {1, now, 1}, {0, now.Add(-2 * longestPause), 0}, {0, now, 1},
	} {
		if got := p.exited(s, &worker{answered: w.answered, readyAt: w.readyAt}, errors.New("gone")); got != w.want {
			t.Errorf("worker %d: %d in a row; want %d", n, got, w.want)
		}
	}
}
