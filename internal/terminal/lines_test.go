package terminal

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// Columns stay in their place, and only the last one is broken; a row that is
// too wide has its name on a line of its own.
func TestLines(t *testing.T) {
	for width, want := range map[int]string{
		200: "KEY SET   KID          NEXT\n" +
			"payments  y1QTLBtMzk…  retired in 3 days, unless the next version is late\\x1b\n" +
			"reports   -            none",
		50: "KEY SET   KID          NEXT\n" +
			"payments  y1QTLBtMzk…  retired in 3 days, unless\n" +
			"                       the next version is\n" +
			"                       late\\x1b\n" +
			"reports   -            none",
		30: "KEY SET\n" +
			"  KID          NEXT\n" +
			"payments\n" +
			"  y1QTLBtMzk…  retired in 3\n" +
			"               days, unless\n" +
			"               the next\n" +
			"               version is\n" +
			"               late\\x1b\n" +
			"reports\n" +
			"  -            none",
	} {
		head, rows := testTable().Lines(width, 1)
		if got := strings.Join(slices.Concat(head, rows), "\n"); got != want {
			t.Errorf("%d columns: got\n%s\nwant\n%s", width, got, want)
		}
	}
}

func FuzzFold(f *testing.F) {
	f.Add("  WRITE FAILED: no space left on device", 20)
	f.Add("        deep", 3)
	f.Fuzz(func(t *testing.T, line string, width int) {
		width = max(1, min(width, 200))
		line = strings.ToValidUTF8(line, "")
		folded := Fold(line, width)
		for _, l := range folded {
			if utf8.RuneCountInString(l) > width {
				t.Errorf("%d columns: %q", width, l)
			}
		}
		if got := strings.ReplaceAll(strings.Join(folded, "\n"), " ", ""); strings.ReplaceAll(got, "\n", "") != strings.NewReplacer(" ", "", "\n", "").Replace(line) {
			t.Errorf("%q became %q", line, folded)
		}
	})
}
