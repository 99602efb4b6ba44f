package main

import (
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// percentage shows on a terminal, and only there, how far a long command is.
type percentage struct {
	out   io.Writer // nil where nobody looks
	shown int       // per cent
}

func newPercentage(out io.Writer) *percentage {
	p := &percentage{shown: -1}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.out = out
	}
	return p
}

// show tells how many bytes of how many are done.
func (p *percentage) show(done, total int64) {
	if p.out == nil || total <= 0 {
		return
	}
	// Lines that are written meanwhile, and compressed files, can exceed the total.
	if percent := int(min(done, total) * 100 / total); percent != p.shown {
		p.shown = percent
		fmt.Fprintf(p.out, "\r%3d %% of %d MiB", percent, total>>20)
	}
}

// clear removes what show left on the line.
func (p *percentage) clear() {
	if p.out != nil && p.shown >= 0 {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
