package archtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/assertd/assertd/"

// everything in the table's last column marks the packages that assemble the
// others.
const everything = "all"

// row is a row of the import table: a package, what is in it, and which of our
// own packages it may import.
var row = regexp.MustCompile("(?m)^\\| `([a-z0-9/]+)` \\| [^|]+ \\| ([^|]+) \\|$")

var name = regexp.MustCompile("`([a-z0-9/]+)`")

// table reads the import table of docs/design.md. Tests may import
// test/softhsm too.
func table(t *testing.T) map[string][]string {
	t.Helper()
	page, err := os.ReadFile("../../docs/design.md")
	if err != nil {
		t.Fatal(err)
	}
	_, page, found := bytes.Cut(page, []byte("| package | "))
	if !found {
		t.Fatal("docs/design.md has no import table")
	}
	page, _, _ = bytes.Cut(page, []byte("\n\n"))
	allowed := make(map[string][]string)
	for _, r := range row.FindAllSubmatch(page, -1) {
		allowed[string(r[1])] = imports(string(r[2]))
	}
	if rows := bytes.Count(page, []byte("\n|")) - 1; len(allowed) != rows {
		t.Fatalf("read %d of the table's %d rows", len(allowed), rows)
	}
	return allowed
}

func imports(cell string) []string {
	if strings.HasPrefix(cell, everything) {
		return []string{everything}
	}
	var packages []string
	for _, n := range name.FindAllStringSubmatch(cell, -1) {
		packages = append(packages, n[1])
	}
	return packages
}

// unlinked lists what must not even be linked, however many steps away.
var unlinked = map[string][]string{
	"cmd/assertctl": {"pkcs11", "crypto11", "hclog", "md2man", "grpc"},
	"cmd/assertd":   {"md2man"}, // internal/cli/manual is for tests
	"client":        {"pkcs11", "crypto11", "hclog", "oauth2", "grpc"},
	"ipc":           {"pkcs11", "crypto11", "hclog"},
	"ipc/server":    {"pkcs11", "crypto11", "hclog", "grpc"},
	"signer":        {"pkcs11", "crypto11", "grpc"},
	"jwks":          {"pkcs11", "crypto11", "hclog", "grpc"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportTable(t *testing.T) {
	allowed := table(t)
	for _, pkg := range list(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module)
		if strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "examples/") {
			continue
		}
		may, known := allowed[name]
		if !known {
			t.Errorf("%s is not in the import table of docs/design.md; add a row", name)
			continue
		}
		checkImports(t, name, pkg.Imports, may)
		checkLinks(t, name, pkg.Deps)
	}
}

// A row of a package that is gone would let its successor's imports go unseen.
func TestEveryRowIsAPackage(t *testing.T) {
	packages := make(map[string]bool)
	for _, pkg := range list(t) {
		packages[strings.TrimPrefix(pkg.ImportPath, module)] = true
	}
	for name := range table(t) {
		if !packages[name] {
			t.Errorf("docs/design.md has a row for %s, which is not a package", name)
		}
	}
}

func checkImports(t *testing.T, name string, imports, may []string) {
	for _, path := range imports {
		own, ok := strings.CutPrefix(path, module)
		if ok && !slices.Contains(may, own) && !slices.Contains(may, everything) {
			t.Errorf("%s imports %s, which the table in docs/design.md does not allow", name, own)
		}
	}
}

func checkLinks(t *testing.T, name string, deps []string) {
	for _, word := range unlinked[name] {
		for _, dep := range deps {
			if strings.Contains(dep, word) {
				t.Errorf("%s links %s", name, dep)
			}
		}
	}
}

// list asks the go command for our packages as they are built.
func list(t *testing.T) []goPackage {
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var pkg goPackage
		if err := decoder.Decode(&pkg); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		packages = append(packages, pkg)
	}
}
