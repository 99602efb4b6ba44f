package pool

import (
	"errors"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
)

// A worker that dies young is replaced after a pause, unless it has been of use.
func TestPauseAfterAWorkerThatDiedYoung(t *testing.T) {
	p, err := New(Config{Command: []string{"none"}, Tokens: []TokenConfig{{Name: "t", PIN: hsm.PINSource{File: "/pin"}}}})
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
func TestPauseGrowsToItsLimit(t *testing.T) {
	if pause(0) != 0 {
		t.Error("the first attempt waits")
	}
	for n := 1; n < 100; n++ {
		full := min(firstPause<<min(n-1, 10), longestPause)
		if d := pause(n); d < full/2 || d > full || d > time.Second {
			t.Errorf("after %d failures %v", n, d)
		}
	}
}
