package strictyaml

import "github.com/goccy/go-yaml/token"

// Limits that apply before the parser sees the file: its running time grows
// with the square of a mapping's size, and its stack with the depth.
const (
	maxDepth   = 32
	maxEntries = 10_000
)

// unsupported are the parts of YAML that let a file mean something other than
// it seems to.
var unsupported = map[token.Type]string{
	token.AnchorType:      "anchors (&name) are not supported; repeat the value where it is needed",
	token.AliasType:       "aliases (*name) are not supported; write the value itself, or put text that starts with * in quotes",
	token.MergeKeyType:    "merge keys (<<) are not supported; write the settings themselves",
	token.TagType:         "tags (!name) are not supported; write the plain value, or put text that starts with ! in quotes",
	token.DirectiveType:   "directives (%YAML, %TAG) are not supported; remove the line",
	token.MappingKeyType:  "keys with ? are not supported; write key: value",
	token.DocumentEndType: "document end markers (...) are not supported; remove the line",
	token.InfinityType:    "infinity is not a valid value; write a number",
	token.NanType:         "not-a-number is not a valid value; write a number",
}

// checkTokens reports whether the tokens are only plain mappings, lists and
// scalars, within limits.
func checkTokens(tokens token.Tokens, r *report) bool {
	var s nesting
	for i, t := range tokens {
		at := placeOf(t)
		if message := unsupported[t.Type]; message != "" {
			r.add(at, "", "%s", message)
			return false
		}
		switch t.Type {
		case token.InvalidType:
			r.add(at, "", "invalid YAML; check the indentation, brackets and quotes here and on the previous line")
			return false
		case token.DocumentHeaderType:
			if i > 0 && !onlyComments(tokens[:i]) {
				r.add(at, "", "a second document (---) starts here; keep only one")
				return false
			}
		case token.SequenceEntryType:
			s.open(at.column)
		case token.MappingStartType, token.SequenceStartType:
			s.openFlow()
		case token.MappingEndType, token.SequenceEndType:
			s.closeFlow()
		case token.MappingValueType:
			s.key(tokens, i)
		}
		if s.depth() > maxDepth {
			r.add(at, "", "settings are nested more than %d levels deep, which no setting needs; look for extra indentation or brackets", maxDepth)
			return false
		}
		if s.entries() > maxEntries {
			r.add(at, "", "a mapping has more than %d keys, the maximum; split it up", maxEntries)
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
