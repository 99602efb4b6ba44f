package config

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// readTree judges the syntax of a file and returns its top mapping, nil after
// a mistake. Messages about syntax never hold text of the file: where the
// syntax is broken nobody can tell what is a secret.
func readTree(data []byte, r *report) *node {
	if !readable(data, r) {
		return nil
	}
	data = bytes.ReplaceAll(bytes.TrimPrefix(data, []byte("\ufeff")), []byte("\r\n"), []byte("\n"))
	tokens := lexer.Tokenize(string(data))
	if !plain(tokens, r) {
		return nil
	}
	body, ok := parseYAML(tokens, r)
	if !ok {
		return nil
	}
	root := (&builder{report: r}).build(body)
	if len(r.problems) > 0 {
		return nil
	}
	if root == nil || root.kind != kindMapping {
		r.add(place{1, 1}, "", "the file has no settings; %s", r.begin)
		return nil
	}
	root.hideSecrets()
	return root
}

// readable refuses what no configuration has and what would confuse those who
// read it on a terminal.
func readable(data []byte, r *report) bool {
	if len(data) > MaxSize {
		r.add(place{1, 1}, "", "the file has more than %d bytes, the most that is read; split the clients over several daemons", MaxSize)
		return false
	}
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		if c == utf8.RuneError && size == 1 {
			r.add(place{line, column}, "", "this byte is not UTF-8; save the file as UTF-8")
			return false
		}
		crlf := c == '\r' && i+1 < len(data) && data[i+1] == '\n'
		if (c < ' ' && c != '\n' && c != '\t' && !crlf) || c == 0x7f || (c >= 0x80 && c < 0xa0) || c == 0x2028 || c == 0x2029 {
			r.add(place{line, column}, "", "the control character %U has no place in a configuration; remove it", c)
			return false
		}
		column++
		if c == '\n' {
			line, column = line+1, 1
		}
		i += size
	}
	return true
}

// parseYAML runs the parser over tokens that plain let through.
func parseYAML(tokens token.Tokens, r *report) (body ast.Node, ok bool) {
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, message := syntaxError(err)
		r.add(at, "", "this is not YAML: %s; check indentation, brackets and quotes here and on the line before", message)
		return nil, false
	}
	for _, document := range file.Docs {
		if document.Body == nil {
			continue
		}
		if body != nil {
			r.add(placeOf(document.Body.GetToken()), "", "a second document begins here; a configuration is one document")
			return nil, false
		}
		body = document.Body
	}
	return body, true
}

// syntaxError takes the parser's own words where they can't hold text of the
// file.
func syntaxError(err error) (place, string) {
	var syntax *yaml.SyntaxError
	if !errors.As(err, &syntax) || syntax.Token == nil {
		return place{1, 1}, "it can't be parsed"
	}
	message := syntax.Message
	if strings.ContainsAny(message, "\"`\n") {
		message = "something is out of place"
	}
	return placeOf(syntax.Token), message
}

func placeOf(t *token.Token) place {
	if t == nil || t.Position == nil {
		return place{1, 1}
	}
	return place{max(1, t.Position.Line), max(1, t.Position.Column)}
}

// builder turns the parser's tree into nodes.
type builder struct{ report *report }

func (b *builder) build(n ast.Node) *node {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		return b.mapping(n)
	case *ast.MappingValueNode:
		m := &node{place: placeOf(n.Key.GetToken()), kind: kindMapping}
		b.entry(m, n)
		return m
	case *ast.SequenceNode:
		list := &node{place: placeOf(n.Start), kind: kindList}
		for _, item := range n.Values {
			if built := b.build(item); built != nil {
				list.items = append(list.items, built)
			}
		}
		return list
	default:
		return b.scalar(n)
	}
}

func (b *builder) mapping(n *ast.MappingNode) *node {
	m := &node{place: placeOf(n.Start), kind: kindMapping}
	if !n.IsFlowStyle && len(n.Values) > 0 {
		m.place = placeOf(n.Values[0].Key.GetToken())
	}
	for _, value := range n.Values {
		b.entry(m, value)
	}
	return m
}

func (b *builder) entry(m *node, n *ast.MappingValueNode) {
	at := placeOf(n.Key.GetToken())
	key, ok := n.Key.(*ast.StringNode)
	if !ok {
		b.report.add(at, "", "this key is not text; write it in quotes")
		return
	}
	value := b.build(n.Value)
	if value == nil {
		value = &node{place: at}
	}
	if value.kind == kindNull {
		value.place = at // there is nothing to point at but the key
	}
	m.entries = append(m.entries, entry{place: at, key: key.Value, value: value})
}

func (b *builder) scalar(n ast.Node) *node {
	leaf := &node{place: placeOf(n.GetToken())}
	switch n := n.(type) {
	case *ast.NullNode:
		leaf.kind = kindNull
	case *ast.BoolNode:
		leaf.kind, leaf.text = kindBool, fmt.Sprint(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		leaf.kind, leaf.text = kindNumber, n.GetToken().Value
	case *ast.StringNode:
		leaf.kind, leaf.text = kindString, n.Value
	case *ast.LiteralNode:
		leaf.kind, leaf.text = kindString, n.Value.Value
		leaf.place = placeOf(n.Start)
	default:
		b.report.add(leaf.place, "", "a value of this kind has no place in a configuration; write text, a number, true, false, a list or a mapping")
		return nil
	}
	return leaf
}
