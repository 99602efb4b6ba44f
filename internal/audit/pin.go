package audit

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// pin is a tree size that a witness may have seen last, with all that a
// consistency proof from that size to any later one needs: the edge of the tree
// at that size, and the roots of the complete subtrees to the right of it that
// are merged into larger ones since. Those not merged yet are on the edge of
// the later tree.
type pin struct {
	tree  tree
	right [len(tree{}.edge)]tlog.Hash // by level; see isRight
}

// observe keeps the subtree that a new leaf completed, if it was merged with
// one on the left that the pin's size cuts in two. size is that of the tree
// with the leaf, and stored is what tree.add returned. It may see a leaf twice,
// such as after a failed write, and then keeps the later one.
func (p *pin) observe(size int64, stored []tlog.Hash) {
	behind := size - p.tree.size
	if behind <= 0 {
		return
	}
	if level := bits.Len64(uint64(behind)); level < len(stored) {
		p.right[level-1] = stored[level-1]
	}
}

// isRight reports whether a subtree is the one on its level that follows the
// pin's size and is merged with one that the size cuts in two.
func (p *pin) isRight(level int, n int64) bool {
	return n&1 == 1 && n<<level >= p.tree.size && (n-1)<<level < p.tree.size
}

// proof returns the consistency proof from the pin's size to that of t. It
// checks the proof, because a pin that was read from a file may be wrong.
func (p *pin) proof(t *tree) (tlog.TreeProof, error) {
	proof, err := tlog.ProveTree(t.size, p.tree.size, pinned{p, t})
	if err != nil {
		return nil, err
	}
	return proof, tlog.CheckTree(proof, t.size, t.root(), p.tree.size, p.tree.root())
}

// pinned is a pin and a later tree, as the tlog.HashReader of the proof between
// them.
type pinned struct {
	*pin
	later *tree
}

// ReadHashes implements tlog.HashReader.
func (r pinned) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		switch {
		case r.later.onEdge(level, n):
			hashes[i] = r.later.edge[level]
		case r.tree.onEdge(level, n):
			hashes[i] = r.tree.edge[level]
		case r.isRight(level, n):
			hashes[i] = r.right[level]
		default:
			return nil, fmt.Errorf("audit: no proof from %d lines needs hash %d of level %d", r.tree.size, n, level)
		}
	}
	return hashes, nil
}

// pinLine is a pin as a header or checkpoint line carries it, so that no older
// line is needed.
type pinLine struct {
	Size  int64             `json:"size"`
	Edge  []tlog.Hash       `json:"edge"`
	Right map[int]tlog.Hash `json:"right,omitempty"`
}

// pinLines returns the pins as of the head.
func (h *head) pinLines() []pinLine {
	var lines []pinLine
	for _, p := range h.pins {
		line := pinLine{Size: p.tree.size, Edge: p.tree.edgeHashes()}
		for level := range p.right {
			n := (p.tree.size + 1<<level - 1) >> level // of the first subtree that starts at the size or later
			if end := (n + 1) << level; p.isRight(level, n) && end > 0 && end <= h.tree.size {
				if line.Right == nil {
					line.Right = make(map[int]tlog.Hash)
				}
				line.Right[level] = p.right[level]
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// parsePins reads what pinLines returned. A wrong hash shows when the pin makes
// a proof.
func parsePins(lines []pinLine) ([]*pin, error) {
	var pins []*pin
	for _, line := range lines {
		t, err := newTree(line.Size, line.Edge)
		if err != nil {
			return nil, err
		}
		p := &pin{tree: t}
		for level, hash := range line.Right {
			if level < 0 || level >= len(p.right) {
				return nil, fmt.Errorf("audit: a tree has no level %d", level)
			}
			p.right[level] = hash
		}
		pins = append(pins, p)
	}
	return pins, nil
}
