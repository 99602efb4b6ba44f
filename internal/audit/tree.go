package audit

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is the part of a Merkle tree (RFC 6962, section 2.1) that it needs to
// grow: its size and its right edge, the roots of the complete subtrees that
// its leaves form. tlog does all hashing; tree only gives it the hashes that it
// asks for. A tree is a value: a copy is a snapshot.
type tree struct {
	size int64
	edge [62]tlog.Hash // edge[l], set if bit l of size is, is a subtree of 2^l leaves
}

// add appends a leaf and returns the hashes that tlog would store for it,
// starting with the leaf's own.
func (t *tree) add(leaf tlog.Hash) []tlog.Hash {
	stored, err := tlog.StoredHashesForRecordHash(t.size, leaf, t)
	if err != nil { // can't happen: tlog asks only for hashes on the edge
		panic(err)
	}
	t.edge[len(stored)-1] = stored[len(stored)-1]
	t.size++
	return stored
}

// root returns the root hash.
func (t *tree) root() tlog.Hash {
	h, err := tlog.TreeHash(t.size, t)
	if err != nil {
		panic(err)
	}
	return h
}

// ReadHashes implements tlog.HashReader for the hashes on the edge.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if !t.onEdge(level, n) {
			return nil, fmt.Errorf("audit: hash %d of level %d is not on the edge of a tree of %d leaves", n, level, t.size)
		}
		hashes[i] = t.edge[level]
	}
	return hashes, nil
}

// onEdge reports whether a complete subtree is on the edge.
func (t *tree) onEdge(level int, n int64) bool {
	return t.size>>level&1 == 1 && n == t.size>>level-1
}

// edgeHashes lists the edge from the largest subtree to the smallest.
func (t *tree) edgeHashes() []tlog.Hash {
	var list []tlog.Hash
	for level := len(t.edge) - 1; level >= 0; level-- {
		if t.size>>level&1 == 1 {
			list = append(list, t.edge[level])
		}
	}
	return list
}

// newTree returns the tree of this size with the edge that edgeHashes listed.
func newTree(size int64, list []tlog.Hash) (tree, error) {
	t := tree{size: size}
	if size < 0 || bits.Len64(uint64(size)) > len(t.edge) || bits.OnesCount64(uint64(size)) != len(list) {
		return tree{}, fmt.Errorf("%d hashes can't be the edge of a tree of %d leaves", len(list), size)
	}
	for level := len(t.edge) - 1; level >= 0; level-- {
		if size>>level&1 == 1 {
			t.edge[level], list = list[0], list[1:]
		}
	}
	return t, nil
}
