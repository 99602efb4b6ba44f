package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// flames draws where the front spends its CPU time, with 1 and with 8 callers,
// as flame graphs in dir. perf must be installed and allowed to sample.
func flames(ctx context.Context, e env, s settings, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return withDaemon(ctx, e, defaults, func(d *daemon, load *child) error {
		for _, n := range []int{1, 8} {
			data := e.file("perf.data")
			if err := sampled(ctx, d.pid(), data, 10*s.slice, func() error {
				_, err := load.do(task{Alg: algorithms[0].alg, Callers: n, Socket: d.socket, For: s.slice})
				return err
			}); err != nil {
				return err
			}
			title := fmt.Sprintf("CPU time of the front, %d callers", n)
			if n == 1 {
				title = "CPU time of the front, 1 caller"
			}
			if err := draw(ctx, data, filepath.Join(dir, fmt.Sprintf("front-%d.svg", n)), title); err != nil {
				return err
			}
		}
		return nil
	})
}

// sampled has perf sample a process for so long, and calls work all the while.
// Only perf knows when it has begun.
func sampled(ctx context.Context, pid int, data string, d time.Duration, work func() error) error {
	perf := exec.CommandContext(ctx, "perf", "record", "-q", "-F", "997", "-e", "cpu-clock", "-g",
		"-p", strconv.Itoa(pid), "-o", data, "--", "sleep", fmt.Sprint(d.Seconds()))
	if err := perf.Start(); err != nil {
		return fmt.Errorf("perf: %w; install linux-perf", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- perf.Wait() }()
	for {
		select {
		case err := <-ended:
			return err
		default:
		}
		if err := work(); err != nil {
			return errors.Join(err, perf.Process.Kill(), <-ended)
		}
	}
}

// draw makes a flame graph of what perf recorded.
func draw(ctx context.Context, data, file, title string) error {
	samples, err := exec.CommandContext(ctx, "perf", "script", "-i", data, "-F", "comm,ip,sym").Output()
	if err != nil {
		return fmt.Errorf("perf script: %w", err)
	}
	root, err := fold(strings.NewReader(string(samples)))
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	return errors.Join(root.svg(out, title), out.Close())
}

// frame is a function in a stack, with the samples in it and in what it called.
type frame struct {
	samples int
	calls   map[string]*frame
}

func (f *frame) add(stack []string) {
	f.samples++
	for _, name := range slices.Backward(stack) {
		if f.calls == nil {
			f.calls = map[string]*frame{}
		}
		if f.calls[name] == nil {
			f.calls[name] = &frame{}
		}
		f = f.calls[name]
		f.samples++
	}
}

// depth is how many levels of frames are drawn.
func (f *frame) depth(least int) int {
	deepest := 0
	for _, c := range f.calls {
		if c.samples >= least {
			deepest = max(deepest, 1+c.depth(least))
		}
	}
	return deepest
}

// fold reads the output of perf script: a line for the sample, one for each
// frame from the innermost out, and an empty one.
func fold(r io.Reader) (*frame, error) {
	root := &frame{}
	var stack []string
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		address, name, found := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		switch {
		case address == "" && len(stack) > 0:
			root.add(stack)
			stack = stack[:0]
		case found && strings.HasPrefix(lines.Text(), "\t"):
			stack = append(stack, name)
		}
	}
	if len(stack) > 0 {
		root.add(stack)
	}
	if root.samples == 0 {
		return nil, errors.New("perf took no samples")
	}
	return root, lines.Err()
}

const (
	flameWidth = 1000 // in pixels, like the following
	flameRow   = 15
	flameChar  = 6 // the width of a character, more or less
	// flameLeast is the part of the samples below which a frame isn't drawn, which
	// keeps the file small.
	flameLeast = 0.008
)

// svg draws the frames: the outermost at the bottom, as wide as their share.
func (f *frame) svg(w io.Writer, title string) error {
	least := max(int(flameLeast*float64(f.samples)), 1)
	height := (f.depth(least) + 2) * flameRow
	out := bufio.NewWriter(w)
	fmt.Fprintf(out, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="monospace" font-size="10">`+"\n"+
		`<rect width="100%%" height="100%%" fill="#fff"/><text x="4" y="11">%s</text>`+"\n", flameWidth, height, html.EscapeString(title))
	f.drawCalls(out, 0, height-flameRow, flameWidth/float64(f.samples), least)
	fmt.Fprintln(out, "</svg>")
	return out.Flush()
}

func (f *frame) drawCalls(out io.Writer, x float64, y int, scale float64, least int) {
	for _, name := range slices.Sorted(maps.Keys(f.calls)) {
		c := f.calls[name]
		width := float64(c.samples) * scale
		if c.samples >= least {
			text := html.EscapeString(name)
			fmt.Fprintf(out, `<g><title>%s, %.1f%%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="#fff"/>`,
				text, 100*width/flameWidth, x, y, width, flameRow, colorOf(name))
			if room := int(width) / flameChar; room > 2 {
				fmt.Fprintf(out, `<text x="%.1f" y="%d">%s</text>`, x+2, y+11, html.EscapeString(name[max(len(name)-room, 0):]))
			}
			fmt.Fprintln(out, "</g>")
			c.drawCalls(out, x, y-flameRow, scale, least)
		}
		x += width
	}
}

// colors are those of functions, by a part of their names. Some of those in
// assembly have no package.
var colors = []struct{ part, color string }{
	{"assertd/", "#8fbf6f"},
	{"crypto/", "#e0a060"},
	{"p256", "#e0a060"},
	{"net/http", "#7fb0dc"},
	{"encoding/", "#b9a0dc"},
	{"runtime.", "#e6cf70"},
	{"runtime/", "#e6cf70"},
	{".", "#c9d3da"},
}

// colorOf is the color of a function; those of the kernel have no dot.
func colorOf(name string) string {
	for _, c := range colors {
		if strings.Contains(name, c.part) {
			return c.color
		}
	}
	return "#e58a80"
}
