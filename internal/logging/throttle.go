package logging

import (
	"sync"
	"time"
)

// throttleInterval is the minimum time between two lines of one kind.
const throttleInterval = 10 * time.Second

// Throttle logs what any request can cause: the first line of a kind at once,
// then one per interval with the number of lines it left out. Hundreds of
// requests a second fail while an HSM is away, and a caller that is refused can
// ask as often as it likes; neither may fill the disk. The audit log has them
// all.
type Throttle struct {
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]omitted // bounded by the number of codes times clients
}

// omitted counts the lines of a kind that were left out, and says until when
// more will be.
type omitted struct {
	until time.Time
	count int
}

// NewThrottle makes a Throttle.
func NewThrottle(now func() time.Time) *Throttle {
	return &Throttle{now: now, kinds: make(map[string]omitted)}
}

// Log writes a line, or counts it for the next one of its kind. The kind must
// be made of names and codes that the daemon knows, never of what a caller
// sent.
func (t *Throttle) Log(write func(msg string, args ...any), kind, msg string, fields ...any) {
	left, ok := t.due(kind)
	if !ok {
		return
	}
	if left > 0 {
		fields = append(fields, "suppressed", left)
	}
	write(msg, fields...)
}

func (t *Throttle) due(kind string) (left int, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now, last := t.now(), t.kinds[kind]
	if now.Before(last.until) {
		last.count++
		t.kinds[kind] = last
		return 0, false
	}
	t.kinds[kind] = omitted{until: now.Add(throttleInterval)}
	return last.count, true
}
