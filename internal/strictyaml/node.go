package strictyaml

import (
	"strconv"
	"strings"
)

// place is a position in the file. Lines and columns count from 1, and columns
// count characters.
type place struct{ line, column int }

func (p place) before(q place) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// Kind is the kind of a YAML value.
type Kind uint8

// The kinds of YAML values.
const (
	Null Kind = iota
	Bool
	Number
	String
	Mapping
	List
)

func (k Kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a mapping", "a list"}[k]
}

// node is one value of the file and its place. The YAML syntax is gone.
type node struct {
	place
	kind    Kind
	text    string  // a scalar as written, without quotes
	entries []entry // of a mapping, in file order, duplicates included
	items   []*node // of a list
	secret  bool    // never shown

	lineBreak bool // a block of text that ends with a line break, which no one sees
}

type entry struct {
	place
	key   string
	value *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].value
		}
	}
	return nil
}

// keyPlace returns the place of a key in a mapping, or that of the mapping.
func (n *node) keyPlace(key string) place {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].place
		}
	}
	return n.place
}

// hide marks a value and everything in it as secret.
func (n *node) hide() {
	n.secret = true
	for i := range n.entries {
		n.entries[i].value.hide()
	}
	for _, item := range n.items {
		item.hide()
	}
}

// hideSecrets marks the values of all keys that name a secret.
func (n *node) hideSecrets(secrets []string) {
	for i := range n.entries {
		if namesSecret(n.entries[i].key, secrets) {
			n.entries[i].value.hide()
			continue
		}
		n.entries[i].value.hideSecrets(secrets)
	}
	for _, item := range n.items {
		item.hideSecrets(secrets)
	}
}

// walk visits every key and value in file order. The keys of a secret mapping
// are as secret as its values.
func (n *node) walk(visit func(at place, secret bool)) {
	if n == nil {
		return
	}
	visit(n.place, n.secret)
	for i := range n.entries {
		visit(n.entries[i].place, n.secret)
		n.entries[i].value.walk(visit)
	}
	for _, item := range n.items {
		item.walk(visit)
	}
}

// find returns the node at a path, or the nearest one around it.
func (n *node) find(path string) *node {
	for path != "" {
		var step string
		step, path = cutStep(path)
		next := n.step(step)
		if next == nil {
			return n
		}
		n = next
	}
	return n
}

// step returns the node one step of a path further, or nil.
func (n *node) step(step string) *node {
	if !strings.HasPrefix(step, "[") {
		return n.get(step)
	}
	inner := step[1 : len(step)-1]
	if key, err := strconv.Unquote(inner); err == nil {
		return n.get(key)
	}
	if i, err := strconv.Atoi(inner); err == nil && i >= 0 && i < len(n.items) {
		return n.items[i]
	}
	return nil
}
