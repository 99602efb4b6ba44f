package ipc

import (
	"strings"
	"sync"
	"time"
)

// Logger is what the server tells about itself; hclog.Logger satisfies it. args
// are keys and values in turn.
type Logger interface {
	Debug(msg string, args ...any)
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// silent is the Logger of who wants none.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}

// webLog passes what net/http has to say on to the logger.
type webLog struct{ log Logger }

func (w webLog) Write(p []byte) (int, error) {
	w.log.Warn("net/http", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}

// warnings passes on a warning a second at most, and how many it kept back:
// peers must not be able to fill the log.
type warnings struct {
	log Logger
	now func() time.Time

	mu     sync.Mutex
	next   time.Time
	hidden int
}

func (w *warnings) warn(msg string, args ...any) {
	w.mu.Lock()
	now := w.now()
	if now.Before(w.next) {
		w.hidden++
		w.mu.Unlock()
		return
	}
	hidden := w.hidden
	w.next, w.hidden = now.Add(time.Second), 0
	w.mu.Unlock()
	if hidden > 0 {
		args = append(args, "suppressed", hidden)
	}
	w.log.Warn(msg, args...)
}
