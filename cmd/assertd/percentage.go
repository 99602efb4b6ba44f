package main

import (
	"fmt"
	"io"

	"github.com/assertd/assertd/internal/terminal"
)

// percentage shows the progress of a long command, if out is a terminal.
type percentage struct {
	out   io.Writer // nil if it is not a terminal
	shown int       // per cent
}

func newPercentage(out io.Writer) *percentage {
	p := &percentage{shown: -1}
	if _, ok := terminal.File(out); ok {
		p.out = out
	}
	return p
}

// show shows how many bytes of the total are done.
func (p *percentage) show(done, total int64) {
	if p.out == nil || total <= 0 {
		return
	}
	// Lines written in the meantime, and compressed files, can exceed the
	// total.
	if percent := int(min(done, total) * 100 / total); percent != p.shown {
		p.shown = percent
		_ = terminal.Control(p.out, fmt.Sprintf("\r%3d%% of %d MiB", percent, total>>20))
	}
}

// clear erases the line.
func (p *percentage) clear() {
	if p.out != nil && p.shown >= 0 {
		_ = terminal.Control(p.out, eraseLine)
	}
}
