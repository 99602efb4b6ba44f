package strictyaml

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// builder converts the parser's tree to nodes.
type builder struct{ report *report }

func (b *builder) build(n ast.Node) *node {
	switch n := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		return b.mapping(n)
	case *ast.MappingValueNode:
		m := &node{place: placeOf(n.Key.GetToken()), kind: Mapping}
		b.entry(m, n)
		return m
	case *ast.SequenceNode:
		list := &node{place: placeOf(n.Start), kind: List}
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
	m := &node{place: placeOf(n.Start), kind: Mapping}
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
		b.report.add(at, "", "this key is not text; put it in quotes")
		return
	}
	value := b.build(n.Value)
	if value == nil {
		value = &node{place: at}
	}
	if value.kind == Null {
		value.place = at // only the key has a place
	}
	m.entries = append(m.entries, entry{place: at, key: key.Value, value: value})
}

func (b *builder) scalar(n ast.Node) *node {
	leaf := &node{place: placeOf(n.GetToken())}
	switch n := n.(type) {
	case *ast.NullNode:
		leaf.kind = Null
	case *ast.BoolNode:
		leaf.kind, leaf.text = Bool, fmt.Sprint(n.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		leaf.kind, leaf.text = Number, n.GetToken().Value
	case *ast.StringNode:
		leaf.kind, leaf.text = String, n.Value
	case *ast.LiteralNode:
		leaf.kind, leaf.text = String, n.Value.Value
		leaf.place = placeOf(n.Start)
		leaf.lineBreak = strings.HasSuffix(leaf.text, "\n")
	default:
		b.report.add(leaf.place, "", "this kind of value is not supported; use text, a number, true, false, a list or a mapping")
		return nil
	}
	return leaf
}
