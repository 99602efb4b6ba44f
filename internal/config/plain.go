package config

import (
	"github.com/goccy/go-yaml/token"
)

// Bounds that hold before the parser sees the file, whose own cost grows with
// the square of a mapping and whose stack grows with the depth.
const (
	maxDepth   = 32
	maxEntries = 10_000
)

// unwanted are the parts of YAML that a configuration does without: each lets
// a file mean something else than it seems to a reader.
var unwanted = map[token.Type]string{
	token.AnchorType:      "anchors (&name) are not supported; write the value out where it is needed",
	token.AliasType:       "aliases (*name) are not supported; write the value out here, or put text that begins with * in quotes",
	token.MergeKeyType:    "merge keys (<<) are not supported; write the settings out",
	token.TagType:         "tags (!name) are not supported; write the plain value, or put text that begins with ! in quotes",
	token.DirectiveType:   "directives (%YAML, %TAG) are not supported; remove the line",
	token.MappingKeyType:  "keys with ? are not supported; write key: value",
	token.DocumentEndType: "the end of a document (...) is not supported; remove the line",
	token.InfinityType:    "infinity is not a number that a setting can have; write a number",
	token.NanType:         "not-a-number is not a number that a setting can have; write a number",
}

// plain reports whether the tokens use nothing but plain mappings, lists and
// scalars, within bounds.
func plain(tokens token.Tokens, r *report) bool {
	var s shape
	for i, t := range tokens {
		at := placeOf(t)
		if message := unwanted[t.Type]; message != "" {
			r.add(at, "", "%s", message)
			return false
		}
		switch t.Type {
		case token.InvalidType:
			r.add(at, "", "this is not YAML; check indentation, brackets and quotes here and on the line before")
			return false
		case token.DocumentHeaderType:
			if i > 0 && !onlyComments(tokens[:i]) {
				r.add(at, "", "a second document (---) begins here; a configuration is one document")
				return false
			}
		case token.SequenceEntryType:
			s.open(at.column)
		case token.MappingStartType, token.SequenceStartType:
			s.flow++
		case token.MappingEndType, token.SequenceEndType:
			s.flow = max(0, s.flow-1)
		case token.MappingValueType:
			s.key(tokens, i)
		}
		if s.depth() > maxDepth {
			r.add(at, "", "settings are nested more than %d deep; no setting needs that, so look for an indentation or bracket too many", maxDepth)
			return false
		}
		if s.entries() > maxEntries {
			r.add(at, "", "a mapping has more than %d keys; that is the most that is read", maxEntries)
			return false
		}
	}
	return true
}

func onlyComments(tokens token.Tokens) bool {
	for _, t := range tokens {
		if t.Type != token.CommentType {
			return false
		}
	}
	return true
}

// shape follows how deep the tokens nest and how many keys a mapping has. It
// may count high (all flow mappings at one place count as one), never low.
type shape struct {
	levels []level
	flow   int
	inFlow int
}

type level struct{ column, keys int }

// open enters the block at a column and leaves all that are further right.
func (s *shape) open(column int) *level {
	for len(s.levels) > 0 && s.levels[len(s.levels)-1].column > column {
		s.levels = s.levels[:len(s.levels)-1]
	}
	if len(s.levels) == 0 || s.levels[len(s.levels)-1].column < column {
		s.levels = append(s.levels, level{column: column})
	}
	return &s.levels[len(s.levels)-1]
}

// key counts the key in front of the colon at i.
func (s *shape) key(tokens token.Tokens, i int) {
	if s.flow > 0 {
		s.inFlow++
		return
	}
	s.inFlow = 0
	if i > 0 {
		s.open(placeOf(tokens[i-1]).column).keys++
	}
}

func (s *shape) depth() int { return len(s.levels) + s.flow }

func (s *shape) entries() int {
	if s.flow > 0 {
		return s.inFlow
	}
	if len(s.levels) == 0 {
		return 0
	}
	return s.levels[len(s.levels)-1].keys
}
