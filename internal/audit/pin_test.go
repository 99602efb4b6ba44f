package audit

import (
	"encoding/json"
	"fmt"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// A pin proves that any later tree extends the one at its size, and still does
// after it was written to a line and read again.
func TestPinsProveEveryLaterTree(t *testing.T) {
	const most = 130
	var h head
	roots := make([]tlog.Hash, most+1)
	for size := int64(1); size <= most; size++ {
		h.add(tlog.RecordHash(fmt.Appendf(nil, "line %d", size)))
		roots[size] = h.tree.root()
		for _, p := range h.pins {
			proof, err := p.proof(&h.tree)
			if err != nil {
				t.Fatalf("from %d to %d: %v", p.tree.size, size, err)
			}
			if err := tlog.CheckTree(proof, size, roots[size], p.tree.size, roots[p.tree.size]); err != nil {
				t.Fatalf("from %d to %d: %v", p.tree.size, size, err)
			}
		}
		h.pins = append(h.pins, &pin{tree: h.tree})
		if size%7 == 0 {
			h.pins = reread(t, h.pinLines())
		}
	}
}

func reread(t *testing.T, lines []pinLine) []*pin {
	t.Helper()
	text, err := json.Marshal(lines)
	check(t, err)
	var back []pinLine
	check(t, json.Unmarshal(text, &back))
	pins, err := parsePins(back)
	check(t, err)
	return pins
}

// A write that fails leaves nothing in the pins that a later one does not
// replace.
func TestPinsSurviveFailedWrites(t *testing.T) {
	var h head
	for i := range 5 {
		h.add(tlog.RecordHash([]byte{byte(i)}))
	}
	h.pins = []*pin{{tree: h.tree}}
	failed := h
	for range 20 {
		failed.add(tlog.RecordHash([]byte("failed")))
	}
	for i := range 20 {
		h.add(tlog.RecordHash([]byte{1, byte(i)}))
		h.pins = reread(t, h.pinLines())
		if _, err := h.pins[0].proof(&h.tree); err != nil {
			t.Fatalf("%d lines later: %v", i+1, err)
		}
	}
}
