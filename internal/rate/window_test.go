package rate

import (
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		window Window
		want   string // part of the error; "" for none
	}{
		{Window{Limit: 1, Per: MinPer}, ""},
		{Window{Limit: MaxCount, Per: MaxPer, Burst: MaxCount}, ""},
		{Window{Limit: 1, Per: MaxPer, Burst: 25}, ""},
		{Window{Per: time.Second}, "limit"},
		{Window{Limit: MaxCount + 1, Per: time.Second}, "limit"},
		{Window{Limit: 1}, "period"},
		{Window{Limit: 1, Per: MaxPer + 1}, "period"},
		{Window{Limit: 1, Per: time.Second, Burst: -1}, "burst"},
		{Window{Limit: 1, Per: time.Second, Burst: MaxCount + 1}, "burst"},
		{Window{Limit: 1, Per: MaxPer, Burst: 26}, "decades"},
	} {
		err := c.window.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: %v, want %q", c.window, err, c.want)
		}
	}
}

func TestString(t *testing.T) {
	for want, w := range map[string]Window{
		"50 per 1s":                        {Limit: 50, Per: time.Second},
		"9 per 24h with bursts of 12":      {Limit: 9, Per: 24 * time.Hour, Burst: 12},
		"1 per 1h30m with bursts of 2":     {Limit: 1, Per: 90 * time.Minute, Burst: 2},
		"1000 per 500ms":                   {Limit: 1000, Per: 500 * time.Millisecond},
		"1 per 8784h with bursts of 1":     {Limit: 1, Per: MaxPer, Burst: 1},
		"3 per 10m with bursts of 1000000": {Limit: 3, Per: 10 * time.Minute, Burst: 1_000_000},
	} {
		if got := w.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
