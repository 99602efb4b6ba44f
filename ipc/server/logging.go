package server

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

// The least time between two lines that peers can cause.
const (
	warningEvery = time.Second      // of whatever warnings
	errorEvery   = 10 * time.Second // of one kind of error
)

// warnings passes on one line in a while of each kind, and how many it kept back:
// peers must not be able to fill the log.
type warnings struct {
	log Logger
	now func() time.Time

	mu    sync.Mutex
	kinds map[string]silence
}

// silence is since when nothing is said, and about what.
type silence struct {
	until  time.Time
	hidden int
}

// warn passes on a warning a second at most, whichever it is.
func (w *warnings) warn(msg string, args ...any) {
	w.pass(w.log.Warn, "", warningEvery, msg, args)
}

// error passes on each message once in ten seconds at most. Its text is what tells
// one kind from another, and therefore never a peer's.
func (w *warnings) error(msg string, args ...any) {
	w.pass(w.log.Error, msg, errorEvery, msg, args)
}

func (w *warnings) pass(log func(string, ...any), kind string, every time.Duration, msg string, args []any) {
	hidden, ok := w.speak(kind, every)
	if !ok {
		return
	}
	if hidden > 0 {
		args = append(args, "suppressed", hidden)
	}
	log(msg, args...)
}

// speak tells whether a line of a kind may be written now, and how many were not
// since the last.
func (w *warnings) speak(kind string, every time.Duration) (hidden int, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now, last := w.now(), w.kinds[kind]
	if now.Before(last.until) {
		last.hidden++
		w.kinds[kind] = last
		return 0, false
	}
	if w.kinds == nil {
		w.kinds = make(map[string]silence)
	}
	w.kinds[kind] = silence{until: now.Add(every)}
	return last.hidden, true
}
