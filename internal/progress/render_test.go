package progress

import (
	"math"
	"testing"
	"time"
	"unicode/utf8"
)

var noon = time.Date(2026, 11, 2, 12, 0, 0, 0, time.UTC)

func TestRender(t *testing.T) {
	verifying := state{name: "verifying", unit: Bytes, done: 30 << 20, total: 120 << 20, elapsed: 2 * time.Second, now: noon}
	slow := verifying
	slow.elapsed = time.Minute
	checking := state{name: "checking keys", done: 10, total: 40, elapsed: 4 * time.Second, now: noon}
	bench := state{name: "measuring", unit: Seconds, done: int64(time.Second), total: int64(5 * time.Second), elapsed: time.Second, note: "p99 2ms", now: noon}
	generating := state{name: "generating RSA-4096", elapsed: 75 * time.Second, note: "can't be interrupted", now: noon}
	for _, test := range []struct {
		state state
		width int
		want  string
	}{
		{verifying, 79, "verifying   25%  [#######-----------------------]  6s left  15.0 MiB/s"},
		{verifying, 50, "verifying   25%  [##--------]  6s left  15.0 MiB/s"},
		{verifying, 30, "verifying   25%  6s left"},
		{verifying, 8, "verifyi…"},
		{slow, 79, "verifying   25%  [######-------------------]  3m00s left, ends 12:03  0.5 MiB/s"},
		{checking, 79, "checking keys   25%  [#######-----------------------]  12s left  2.5/s"},
		{bench, 79, "measuring   20%  [######------------------------]  4s left  p99 2ms"},
		{generating, 79, "generating RSA-4096  1m15s  can't be interrupted"},
		{generating, 30, "generating RSA-4096  1m15s"},
		{state{name: "verifying", unit: Bytes, done: 5, total: 4, elapsed: time.Second}, 40, "verifying  100%  [##########]  0.0 MiB/s"},
	} {
		if got := test.state.render(test.width); got != test.want {
			t.Errorf("%d columns:\n got %s\nwant %s", test.width, got, test.want)
		}
	}
}

func TestRenderFits(t *testing.T) {
	for width := range 100 {
		for _, done := range []int64{0, 1, 1 << 40, math.MaxInt64} {
			s := state{name: "verifying", unit: Bytes, done: done, total: math.MaxInt64 / 100, elapsed: time.Hour, now: noon, note: "note"}
			if line := s.render(width); utf8.RuneCountInString(line) > max(width, 1) {
				t.Errorf("%d columns: %q", width, line)
			}
		}
	}
}
