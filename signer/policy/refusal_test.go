package policy

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A reason that Reasons leaves out would escape the tests that look for its API
// code, so the list is compared with the constants in the source.
func TestReasonsAreComplete(t *testing.T) {
	var declared []Reason
	for _, spec := range constants(t) {
		if kind, ok := spec.Type.(*ast.Ident); !ok || kind.Name != "Reason" {
			continue
		}
		for _, value := range spec.Values {
			code, err := strconv.Unquote(value.(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared = append(declared, Reason(code))
		}
	}
	listed := Reasons()
	slices.Sort(declared)
	slices.Sort(listed)
	if len(declared) == 0 || !slices.Equal(declared, listed) {
		t.Errorf("Reasons returns %q, the constants are %q", listed, declared)
	}
}

// constants returns every constant that the package declares outside its tests.
func constants(t *testing.T) []*ast.ValueSpec {
	t.Helper()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	var specs []*ast.ValueSpec
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range file.Decls {
			if group, ok := decl.(*ast.GenDecl); ok && group.Tok == token.CONST {
				for _, spec := range group.Specs {
					specs = append(specs, spec.(*ast.ValueSpec))
				}
			}
		}
	}
	return specs
}

func TestRefusalsMatchByCode(t *testing.T) {
	_, err := mine(t, bank()).Decide(me, Request{Audience: "x"})
	if !errors.Is(err, &Refusal{Code: AudienceNotAllowed}) || errors.Is(err, &Refusal{Code: ClaimNotAllowed}) {
		t.Errorf("errors.Is of %v", err)
	}
}
