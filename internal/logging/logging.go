// Package logging is what assertd's packages need of a logger: the interface,
// a logger that discards, and a throttle for lines that callers can cause.
package logging

// Logger is a leveled logger; the arguments are pairs of a name and a value.
// hclog.Logger satisfies it.
type Logger interface {
	Debug(msg string, args ...any)
	Info(msg string, args ...any)
	Warn(msg string, args ...any)
	Error(msg string, args ...any)
}

// Discard drops everything.
var Discard Logger = discard{}

type discard struct{}

func (discard) Debug(string, ...any) {}
func (discard) Info(string, ...any)  {}
func (discard) Warn(string, ...any)  {}
func (discard) Error(string, ...any) {}
