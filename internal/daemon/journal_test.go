package daemon

import (
	"fmt"
	"sync"
)

// journal keeps what is logged, a line each.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(level, message string, args []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, level+" "+message+" "+fmt.Sprint(args...))
}

func (j *journal) Debug(m string, a ...any) {}
func (j *journal) Info(m string, a ...any)  { j.add("INFO", m, a) }
func (j *journal) Warn(m string, a ...any)  { j.add("WARN", m, a) }
func (j *journal) Error(m string, a ...any) { j.add("ERROR", m, a) }

// take gives the lines since it was asked last.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}
