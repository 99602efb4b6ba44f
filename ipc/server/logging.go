package server

import (
	"strings"

	"github.com/assertd/assertd/internal/logging"
)

// throttledLog is for lines that peers can cause. Lines with the same message
// are of one kind, so a message must never contain anything that a peer sent.
type throttledLog struct {
	logger   logging.Logger
	throttle *logging.Throttle
}

func (l throttledLog) warn(msg string, args ...any) {
	l.throttle.Log(l.logger.Warn, msg, msg, args...)
}

func (l throttledLog) error(msg string, args ...any) {
	l.throttle.Log(l.logger.Error, msg, msg, args...)
}

// webLog passes on the log of net/http.
type webLog struct{ logger logging.Logger }

// Write implements io.Writer.
func (w webLog) Write(p []byte) (int, error) {
	w.logger.Warn("net/http", "message", strings.TrimSpace(string(p)))
	return len(p), nil
}
