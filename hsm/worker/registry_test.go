package worker

import (
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
)

// A worker that dies young is replaced after a pause, unless it has been of use.
func TestPauseAfterAWorkerThatDiedYoung(t *testing.T) {
	p, err := NewPool(Config{Command: []string{"none"}, Tokens: []TokenConfig{{Name: "t", PIN: hsm.PINSource{File: "/pin"}}}})
	if err != nil {
		t.Fatal(err)
	}
	s, now := p.tokens[0].slots[0], time.Now()
	for n, w := range []struct {
		answered int
		since    time.Time
		want     int
	}{
		{0, now, 1}, {1, now, 2}, {worthAStart - 1, now, 3}, {worthAStart, now, 0}, {1, now, 1}, {0, now.Add(-2 * longestPause), 0}, {0, now, 1},
	} {
		if got := p.left(s, &worker{answered: w.answered, since: w.since}, errors.New("gone")); got != w.want {
			t.Errorf("worker %d: %d in a row; want %d", n, got, w.want)
		}
	}
}
