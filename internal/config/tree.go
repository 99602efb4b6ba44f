package config

import (
	"fmt"
	"strconv"
	"strings"
)

// place is a position in the file; lines and columns count from 1, columns in
// characters.
type place struct{ line, column int }

func (p place) before(q place) bool {
	return p.line < q.line || p.line == q.line && p.column < q.column
}

// kind is the kind of a YAML value.
type kind uint8

const (
	kindNull kind = iota
	kindBool
	kindNumber
	kindString
	kindMapping
	kindList
)

func (k kind) String() string {
	return [...]string{"nothing", "true or false", "a number", "text", "a mapping", "a list"}[k]
}

// node is one value of the file with its place: what is left of the YAML once
// its syntax was judged.
type node struct {
	place
	kind    kind
	text    string  // a scalar as it was written, without quotes
	entries []entry // of a mapping, duplicates too, in the order of the file
	items   []*node // of a list
	secret  bool    // never shown
}

type entry struct {
	place
	key   string
	value *node
}

// get returns the value of a key, nil if there is none.
func (n *node) get(key string) *node {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].value
		}
	}
	return nil
}

// keyPlace returns where a key stands that the mapping has.
func (n *node) keyPlace(key string) place {
	for i := range n.entries {
		if n.entries[i].key == key {
			return n.entries[i].place
		}
	}
	return n.place
}

// hide marks a value and all that is in it as secret.
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
func (n *node) hideSecrets() {
	for i := range n.entries {
		if secretKey(n.entries[i].key) {
			n.entries[i].value.hide()
			continue
		}
		n.entries[i].value.hideSecrets()
	}
	for _, item := range n.items {
		item.hideSecrets()
	}
}

// walk visits every key and value in the order of the file. The keys of a
// secret mapping are as secret as its values.
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

// find returns the node at a path, or the nearest around it.
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

// Paths are written as clients[2].grants[0].claims.allow.scope; a key with
// anything but letters, digits, - and _ in it as ["a key"].

// member is the path of a key in the mapping at path.
func member(path, key string) string {
	if key == "" || strings.ContainsFunc(key, needsQuotes) {
		return path + "[" + strconv.Quote(key) + "]"
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func needsQuotes(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// element is the path of an item in the list at path.
func element(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

// cutStep splits a path after its first step.
func cutStep(path string) (step, rest string) {
	if !strings.HasPrefix(path, "[") {
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			return path, ""
		}
		return path[:end], strings.TrimPrefix(path[end:], ".")
	}
	end := strings.IndexByte(path, ']')
	if quoted, err := strconv.QuotedPrefix(path[1:]); err == nil {
		end = 1 + len(quoted)
	}
	if end < 0 || end >= len(path) || path[end] != ']' {
		return path, ""
	}
	return path[:end+1], strings.TrimPrefix(path[end+1:], ".")
}

// parentPath drops the last step of a path.
func parentPath(path string) string {
	taken := 0
	for rest := path; rest != ""; {
		var after string
		if _, after = cutStep(rest); after == "" {
			return strings.TrimSuffix(path[:taken], ".")
		}
		taken = len(path) - len(after)
		rest = after
	}
	return ""
}
