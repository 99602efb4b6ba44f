package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// percentage shows the progress of a long command, if out is a terminal.
type percentage struct {
	out   io.Writer // nil if it is not a terminal
	shown int       // per cent
}

func newPercentage(out io.Writer) *percentage {
	p := &percentage{shown: -1}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
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
		fmt.Fprintf(p.out, "\r%3d%% of %d MiB", percent, total>>20)
	}
}

// clear erases the line.
func (p *percentage) clear() {
	if p.out != nil && p.shown >= 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
