package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const module = "github.com/assertd/assertd/"

// sourceFile is a file on the path, with the types of its expressions.
type sourceFile struct {
	pkg, base string // import path within the module, name in it
	syntax    *ast.File
	fset      *token.FileSet
	info      *types.Info
	blocks    []block // on the path
}

func (f *sourceFile) position(pos token.Pos) position {
	p := f.fset.Position(pos)
	return positionOf(p.Line, p.Column)
}

func (f *sourceFile) at(n ast.Node) string {
	return fmt.Sprintf("%s/%s:%d", f.pkg, f.base, f.fset.Position(n.Pos()).Line)
}

// runs says whether the code at a position is on the path.
func (f *sourceFile) runs(pos token.Pos) bool {
	at := f.position(pos)
	return slices.ContainsFunc(f.blocks, func(b block) bool { return b.contains(at) })
}

// functions names the declared functions that are on the path.
func (f *sourceFile) functions() []string {
	var names []string
	for _, decl := range f.syntax.Decls {
		fn, ok := decl.(*ast.FuncDecl)
		if !ok {
			continue
		}
		whole := block{start: f.position(fn.Pos()), end: f.position(fn.End())}
		if slices.ContainsFunc(f.blocks, func(b block) bool { return whole.contains(b.start) }) {
			names = append(names, functionName(fn))
		}
	}
	return names
}

func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	return strings.TrimPrefix(types.ExprString(fn.Recv.List[0].Type), "*") + "." + fn.Name.Name
}

// goPackage is what `go list` says of a package.
type goPackage struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// load type-checks the packages of this module in the daemon, and returns their
// files that have blocks on the path.
func load(ctx context.Context, blocks map[string][]block) ([]*sourceFile, error) {
	out, err := goCommand(ctx, "list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles", module+"cmd/assertd")
	if err != nil {
		return nil, err
	}
	exports := make(map[string]string)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	var files []*sourceFile
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p goPackage
		if err := decoder.Decode(&p); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		exports[p.ImportPath] = p.Export // a package comes after what it imports
		if !strings.HasPrefix(p.ImportPath, module) {
			continue
		}
		found, err := p.load(blocks, fset, imports)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	return files, nil
}

func (p goPackage) load(blocks map[string][]block, fset *token.FileSet, imports types.Importer) ([]*sourceFile, error) {
	info := &types.Info{
		Types: make(map[ast.Expr]types.TypeAndValue), Selections: make(map[*ast.SelectorExpr]*types.Selection),
		Defs: make(map[*ast.Ident]types.Object), Uses: make(map[*ast.Ident]types.Object),
	}
	var all []*ast.File
	var files []*sourceFile
	for _, base := range p.GoFiles {
		syntax, err := parser.ParseFile(fset, filepath.Join(p.Dir, base), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		all = append(all, syntax)
		if on := blocks[p.ImportPath+"/"+base]; len(on) > 0 {
			files = append(files, &sourceFile{strings.TrimPrefix(p.ImportPath, module), base, syntax, fset, info, on})
		}
	}
	if len(files) == 0 {
		return nil, nil
	}
	config := types.Config{Importer: imports}
	_, err := config.Check(p.ImportPath, fset, all, info)
	return files, err
}
