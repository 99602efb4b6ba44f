package audit

import (
	"fmt"
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is what must be known of a Merkle tree (RFC 6962, section 2.1) to let it grow: its size and its right edge, the
// roots of the complete subtrees that its leaves form. All hashing is tlog's; tree only gives tlog the hashes that it asks
// for. It is a value: a copy is a snapshot.
type tree struct {
	size int64
	edge [62]tlog.Hash // edge[l] is set where bit l of size is: the subtree of 2^l leaves at that place
}

// add takes in the next leaf and returns the hashes that tlog would store for it, the leaf's own first.
func (t *tree) add(leaf tlog.Hash) []tlog.Hash {
	stored, err := tlog.StoredHashesForRecordHash(t.size, leaf, t)
	if err != nil { // tlog asks for hashes of the edge alone
		panic(err)
	}
	t.edge[len(stored)-1] = stored[len(stored)-1]
	t.size++
	return stored
}

// root is the tree's root hash.
func (t *tree) root() tlog.Hash {
	h, err := tlog.TreeHash(t.size, t)
	if err != nil {
		panic(err)
	}
	return h
}

// ReadHashes implements tlog.HashReader for the hashes of the edge.
func (t *tree) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	if len(indexes) == 0 {
		return nil, nil
	}
	hashes := make([]tlog.Hash, len(indexes))
	for i, index := range indexes {
		level, n := tlog.SplitStoredHashIndex(index)
		if t.size>>level&1 == 0 || n != t.size>>level-1 {
			return nil, fmt.Errorf("audit: hash %d of level %d is not on the edge of a tree of %d leaves", n, level, t.size)
		}
		hashes[i] = t.edge[level]
	}
	return hashes, nil
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

// newTree makes a tree of its size and the list that edgeHashes gave.
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
