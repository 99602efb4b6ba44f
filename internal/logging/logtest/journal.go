// Package logtest has a logger for tests.
package logtest

import (
	"fmt"
	"sync"
)

// Journal is a logging.Logger that keeps a line for each message above debug
// level. It is safe for concurrent use.
type Journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *Journal) add(level, message string, args []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, level+" "+message+" "+fmt.Sprint(args...))
}

func (j *Journal) Debug(string, ...any)     {}
func (j *Journal) Info(m string, a ...any)  { j.add("INFO", m, a) }
func (j *Journal) Warn(m string, a ...any)  { j.add("WARN", m, a) }
func (j *Journal) Error(m string, a ...any) { j.add("ERROR", m, a) }

// Take returns the lines since the last call.
func (j *Journal) Take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}
