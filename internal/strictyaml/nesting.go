package strictyaml

import "github.com/goccy/go-yaml/token"

// nesting tracks how deep the tokens nest and how many keys a mapping has. It
// may count high (all flow mappings in one place count as one), but never low.
type nesting struct {
	levels []level
	flow   int
	inFlow int
}

type level struct{ column, keys int }

// open enters the block at a column and leaves all blocks to the right of it.
func (s *nesting) open(column int) *level {
	for len(s.levels) > 0 && s.levels[len(s.levels)-1].column > column {
		s.levels = s.levels[:len(s.levels)-1]
	}
	if len(s.levels) == 0 || s.levels[len(s.levels)-1].column < column {
		s.levels = append(s.levels, level{column: column})
	}
	return &s.levels[len(s.levels)-1]
}

// key counts the key before the colon at i.
func (s *nesting) key(tokens token.Tokens, i int) {
	if s.flow > 0 {
		s.inFlow++
		return
	}
	s.inFlow = 0
	if i > 0 {
		s.open(placeOf(tokens[i-1]).column).keys++
	}
}

func (s *nesting) depth() int { return len(s.levels) + s.flow }

func (s *nesting) entries() int {
	if s.flow > 0 {
		return s.inFlow
	}
	if len(s.levels) == 0 {
		return 0
	}
	return s.levels[len(s.levels)-1].keys
}
