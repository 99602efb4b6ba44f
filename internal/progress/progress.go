// Package progress shows on a terminal how far a command is: a bar with a rate
// and the time left, or the elapsed time where nobody knows the end. A command
// that is done at once shows nothing, and neither does one whose output is not
// a terminal.
package progress

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/assertd/assertd/internal/terminal"
)

const (
	// patience is how long a command works before it shows its progress.
	patience = 300 * time.Millisecond
	interval = 200 * time.Millisecond
)

// eraseLine is what a terminal obeys.
const eraseLine = "\r\x1b[K"

// Task is what a command works on.
type Task struct {
	Name string // such as "generating RSA-4096"; it may contain what others wrote
	Unit Unit
	Note func() string // called for each update: what else to show; may be nil
	// Interrupted is shown after Ctrl-C, if the task can't stop at once.
	Interrupted string
}

// Line is the terminal's last line while a task runs. Its methods are safe for
// concurrent use.
type Line struct {
	task    Task
	file    *os.File // nil if there is no terminal
	started time.Time

	mu          sync.Mutex
	done, total int64

	once sync.Once
	stop chan struct{}
	idle chan struct{} // closed when nothing more is written
}

// Show starts to show a task on out, until Stop is called. The end of ctx only
// adds Task.Interrupted.
func Show(ctx context.Context, out io.Writer, task Task) *Line {
	l := &Line{task: task, started: time.Now(), stop: make(chan struct{}), idle: make(chan struct{})}
	if file, ok := terminal.File(out); ok {
		l.file = file
		go l.run(ctx)
	} else {
		close(l.idle)
	}
	return l
}

// Set says how much is done. A total of 0 means that nobody knows.
func (l *Line) Set(done, total int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done, l.total = done, total
}

// Stop erases the line. Call it before anything else is printed; a second call
// does nothing.
func (l *Line) Stop() {
	l.once.Do(func() { close(l.stop) })
	<-l.idle
}

func (l *Line) run(ctx context.Context) {
	defer close(l.idle)
	select {
	case <-l.stop:
		return
	case <-time.After(patience):
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		l.draw(ctx)
		select {
		case <-l.stop:
			// A failed write does not matter: the terminal is gone.
			_ = terminal.Control(l.file, eraseLine)
			return
		case <-ticker.C:
		}
	}
}

func (l *Line) draw(ctx context.Context) {
	width, _, err := term.GetSize(int(l.file.Fd()))
	if err != nil || width <= 0 {
		width = 80
	}
	_ = terminal.Control(l.file, eraseLine+l.state(ctx).render(width-1)) // the next one shows the same
}

func (l *Line) state(ctx context.Context) state {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := state{name: terminal.Line(l.task.Name), unit: l.task.Unit, done: l.done, total: l.total, now: time.Now()}
	s.elapsed = s.now.Sub(l.started)
	if l.task.Note != nil {
		s.note = terminal.Line(l.task.Note())
	}
	if ctx.Err() != nil {
		s.note = l.task.Interrupted
	}
	return s
}
