package strictyaml

import "github.com/goccy/go-yaml/token"

// nesting tracks how deep the tokens nest and how many keys a mapping has.
type nesting struct {
	levels []level
	flow   []int // the keys of each open flow mapping or sequence
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
	if innermost := len(s.flow) - 1; innermost >= 0 {
		s.flow[innermost]++
	} else if i > 0 {
		s.open(placeOf(tokens[i-1]).column).keys++
	}
}

func (s *nesting) openFlow() { s.flow = append(s.flow, 0) }

func (s *nesting) closeFlow() { s.flow = s.flow[:max(0, len(s.flow)-1)] }

func (s *nesting) depth() int { return len(s.levels) + len(s.flow) }

func (s *nesting) entries() int {
	if innermost := len(s.flow) - 1; innermost >= 0 {
		return s.flow[innermost]
	}
	if len(s.levels) == 0 {
		return 0
	}
	return s.levels[len(s.levels)-1].keys
}
