package daemon

import (
	"sync"
	"time"
)

// sparseEvery is the least time between two lines of one kind.
const sparseEvery = 10 * time.Second

// sparse writes to the log what each request can cause: the first line of a kind
// at once, then one in a while with the number of those left out. Hundreds of
// requests a second fail while an HSM is away, and a caller that is refused can
// ask as often as it likes; neither may fill the disk. The audit log has them all.
type sparse struct {
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]omitted // as many as there are codes, times the clients
}

// omitted is how many lines of a kind were left out since, and until when more are.
type omitted struct {
	until time.Time
	count int
}

func newSparse(now func() time.Time) *sparse {
	return &sparse{now: now, kinds: make(map[string]omitted)}
}

// line writes a line, or counts it for the next one of its kind. The kind must be
// made of names and codes that the daemon knows, and of nothing that a caller sent.
func (s *sparse) line(write func(msg string, args ...any), kind, msg string, fields ...any) {
	left, ok := s.due(kind)
	if !ok {
		return
	}
	if left > 0 {
		fields = append(fields, "left_out", left)
	}
	write(msg, fields...)
}

func (s *sparse) due(kind string) (left int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, last := s.now(), s.kinds[kind]
	if now.Before(last.until) {
		last.count++
		s.kinds[kind] = last
		return 0, false
	}
	s.kinds[kind] = omitted{until: now.Add(sparseEvery)}
	return last.count, true
}
