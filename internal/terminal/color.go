package terminal

import (
	"cmp"
	"io"
	"os"
)

// Color is how a text stands out on a terminal.
type Color string

// The colors that programs use, each for one meaning.
const (
	Plain Color = ""
	Good  Color = "32" // green: it works, it passed
	Warn  Color = "33" // yellow: it works, and somebody should look
	Bad   Color = "31" // red: it failed
	Head  Color = "1"  // bold: a heading
)

// Paint writes a text, in color if out is a terminal that shows colors and the
// user didn't set NO_COLOR (no-color.org).
func Paint(out io.Writer, color Color, text string) error {
	if color == Plain || !colors(out) {
		_, err := io.WriteString(out, text)
		return err
	}
	begin := Control(out, "\x1b["+string(color)+"m")
	_, err := io.WriteString(out, text)
	return cmp.Or(begin, err, Control(out, "\x1b[0m"))
}

func colors(out io.Writer) bool {
	_, ok := File(out)
	return ok && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
