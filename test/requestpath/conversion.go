package main

import (
	"go/ast"
	"go/types"
	"maps"
	"slices"
	"strings"
)

// conversion is a struct that gets most of its values from fields or getters of
// other structs.
type conversion struct {
	at       string // file and line
	from, to string // types
	copies   bool   // it only copies fields to fields of the same name
}

// target is a struct that a literal makes or that assignments to fields fill.
type target struct {
	at      ast.Node
	self    types.Object // the variable whose fields are assigned
	to      string
	minimum int // values that must come from other structs
	fields  []string
	values  []ast.Expr
}

// conversions lists the conversions of a file that are on the path.
func (f *sourceFile) conversions() []conversion {
	var found []conversion
	var targets []*target
	for _, decl := range f.syntax.Decls {
		filled := make(map[types.Object]*target)
		ast.Inspect(decl, func(n ast.Node) bool {
			if n == nil || !f.runs(n.Pos()) {
				return n != nil
			}
			switch n := n.(type) {
			case *ast.CompositeLit:
				targets = append(targets, f.literal(n))
			case *ast.AssignStmt:
				targets = append(targets, f.assignments(n, filled)...)
			case *ast.CallExpr:
				if from, to := f.typeConversion(n); to != "" {
					found = append(found, conversion{f.at(n), from, to, true})
				}
			}
			return true
		})
	}
	for _, t := range targets {
		if from := f.sources(t); from != "" {
			found = append(found, conversion{f.at(t.at), from, t.to, t.copies()})
		}
	}
	return found
}

// literal is the target of T{...}; it has no values if T is not ours.
func (f *sourceFile) literal(literal *ast.CompositeLit) *target {
	name, structure := ownStruct(f.info.TypeOf(literal))
	t := &target{at: literal, to: name, minimum: 2}
	for i, element := range literal.Elts {
		if pair, ok := element.(*ast.KeyValueExpr); name != "" && ok {
			t.add(pair.Key.(*ast.Ident).Name, pair.Value)
		} else if name != "" {
			t.add(structure.Field(i).Name(), element)
		}
	}
	return t
}

// assignments adds y.field = value to the target for the variable y, and
// returns the targets that are new.
func (f *sourceFile) assignments(statement *ast.AssignStmt, filled map[types.Object]*target) (added []*target) {
	for i, left := range statement.Lhs {
		selector, ok := left.(*ast.SelectorExpr)
		if !ok || len(statement.Lhs) != len(statement.Rhs) {
			continue
		}
		y, ok := selector.X.(*ast.Ident)
		name, _ := ownStruct(f.info.TypeOf(selector.X))
		if !ok || name == "" {
			continue
		}
		self := f.info.ObjectOf(y)
		if filled[self] == nil {
			filled[self] = &target{at: statement, self: self, to: name, minimum: 3}
			added = append(added, filled[self])
		}
		filled[self].add(selector.Sel.Name, statement.Rhs[i])
	}
	return added
}

func (t *target) add(field string, value ast.Expr) {
	t.fields, t.values = append(t.fields, field), append(t.values, value)
}

// copies says whether each value is x.name for the field of that name.
func (t *target) copies() bool {
	for i, value := range t.values {
		if x, ok := value.(*ast.SelectorExpr); !ok || !strings.EqualFold(x.Sel.Name, t.fields[i]) {
			return false
		}
	}
	return true
}

// typeConversion returns the types of T(x) where both are structs of ours.
func (f *sourceFile) typeConversion(call *ast.CallExpr) (from, to string) {
	if !f.info.Types[call.Fun].IsType() || len(call.Args) != 1 {
		return "", ""
	}
	from, _ = ownStruct(f.info.TypeOf(call.Args[0]))
	to, _ = ownStruct(f.info.TypeOf(call.Fun))
	if from == "" || from == to {
		return "", ""
	}
	return from, to
}

// sources names the types of the structs that more than half of the target's
// values come from. It is empty if the values are fewer.
func (f *sourceFile) sources(t *target) string {
	names := make(map[string]bool)
	count := 0
	for _, value := range t.values {
		if x := f.source(value); x != nil && x != t.self {
			name, _ := ownStruct(x.Type())
			names[name] = true
			count++
		}
	}
	if count < t.minimum || 2*count <= len(t.values) {
		return ""
	}
	return strings.Join(slices.Sorted(maps.Keys(names)), " + ")
}

// source is the one struct x in a value such as x.f, x.f.g, T(x.f), x.F() or
// g(x.f); nil where there is none, or a second.
func (f *sourceFile) source(value ast.Expr) types.Object {
	found := make(map[types.Object]bool)
	ast.Inspect(value, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x := f.root(selector)
		if x != nil {
			found[x] = true
		}
		return x == nil
	})
	if len(found) != 1 {
		return nil
	}
	return slices.Collect(maps.Keys(found))[0]
}

// root is the struct variable at the left of a chain of fields, which a getter
// may end. A field that holds a function is not a value of the struct.
func (f *sourceFile) root(selector *ast.SelectorExpr) types.Object {
	selection := f.info.Selections[selector]
	if selection == nil {
		return nil
	}
	owner, _ := ownStruct(selection.Recv())
	function, ok := selection.Type().(*types.Signature)
	if ok && (selection.Kind() == types.FieldVal || function.Params().Len() > 0 || owner == "") {
		return nil
	}
	switch x := selector.X.(type) {
	case *ast.SelectorExpr:
		return f.root(x)
	case *ast.Ident:
		if name, _ := ownStruct(f.info.TypeOf(x)); name != "" {
			return f.info.ObjectOf(x)
		}
	}
	return nil
}

// ownStruct names a struct type of this module, or what a pointer to one points
// to. The name is empty for other types.
func ownStruct(t types.Type) (string, *types.Struct) {
	if pointer, ok := types.Unalias(t).(*types.Pointer); ok {
		t = pointer.Elem()
	}
	named, ok := types.Unalias(t).(*types.Named)
	if !ok || named.Obj().Pkg() == nil || !strings.HasPrefix(named.Obj().Pkg().Path(), module) {
		return "", nil
	}
	structure, ok := named.Underlying().(*types.Struct)
	if !ok {
		return "", nil
	}
	return named.Obj().Pkg().Name() + "." + named.Obj().Name(), structure
}
