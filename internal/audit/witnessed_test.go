package audit

import (
	"testing"
)

// A witness and an anchor cost something for each checkpoint, and nothing for a
// record: not a byte, not an allocation.
func TestAWitnessAddsNoWorkPerRecord(t *testing.T) {
	record := sample("jti")
	body, err := record.encode(nil)
	check(t, err)
	measure := func(pins int) (allocations float64, size int) {
		h := head{}
		for range 1000 { // as deep as a tree gets in practice, more or less
			h.appendLine(nil, body)
		}
		for range pins {
			p := &pin{tree: h.tree}
			h.appendLine(nil, body)
			h.pins = append(h.pins, p)
		}
		var b []byte
		allocations = testing.AllocsPerRun(1000, func() { b = h.appendLine(b[:0], body) })
		return allocations, len(b)
	}
	plain, size := measure(0)
	for _, pins := range []int{1, 3} {
		if pinned, length := measure(pins); pinned > plain || length != size {
			t.Errorf("with %d pins, a line needs %v allocations and %d bytes; without, %v and %d", pins, pinned, length, plain, size)
		}
	}
}

func BenchmarkAppendLine(b *testing.B) {
	record := sample("jti")
	body, err := record.encode(nil)
	check(b, err)
	for name, pins := range map[string]int{"no witness": 0, "a witness": 2} {
		b.Run(name, func(b *testing.B) {
			h, buf := head{}, []byte(nil)
			for range pins {
				h.appendLine(nil, body)
				h.pins = append(h.pins, &pin{tree: h.tree})
			}
			for b.Loop() {
				buf = h.appendLine(buf[:0], body)
			}
		})
	}
}
