package logging

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestThrottle(t *testing.T) {
	var lines []string
	write := func(msg string, args ...any) { lines = append(lines, msg+" "+fmt.Sprint(args...)) }
	now := time.Unix(0, 0)
	throttle := NewThrottle(func() time.Time { return now })
	for range 500 {
		throttle.Log(write, "failed", "failed", "n", "1")
	}
	throttle.Log(write, "timed out", "timed out", "n", "1")
	now = now.Add(throttleInterval)
	throttle.Log(write, "failed", "failed", "n", "2")
	if got, want := strings.Join(lines, "\n"), "failed n1\ntimed out n1\nfailed n2suppressed499"; got != want {
		t.Errorf("%q", got)
	}
}
