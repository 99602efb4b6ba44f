package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/assertd/assertd/"

// everything marks the packages that assemble the others.
var everything = []string{"*"}

// allowed is the import table of docs/design.md: which of our own packages
// each package may import. Tests may import test/softhsm besides.
var allowed = map[string][]string{
	"cmd/assertd":         everything,
	"cmd/assertctl":       {"client", "ipc", "jwks"},
	"ipc":                 {},
	"signer":              {"internal/jose", "signer/policy", "signer/profile", "jwks"},
	"signer/policy":       {},
	"signer/profile":      {},
	"hsm":                 {"internal/jose"},
	"hsm/worker":          {"internal/jose", "hsm"},
	"jwks":                {"internal/jose"},
	"client":              {"ipc"},
	"client/oauth2source": {"client"},
	"internal/archtest":   {},
	"internal/audit":      {},
	"internal/config":     {"internal/jose", "signer/policy", "signer/profile", "jwks"},
	"internal/daemon":     everything,
	"internal/dev":        {"hsm", "jwks"},
	"internal/keyadmin":   {"internal/jose", "hsm", "jwks", "internal/keyring", "internal/config"},
	"internal/dryrun":     {"internal/config", "signer/policy", "signer/profile"},
	"internal/keyring":    {"internal/jose", "signer", "jwks", "internal/config"},
	"internal/jose":       {},
	"internal/metrics":    {},
	"internal/policytest": {"internal/config", "internal/dryrun", "signer/policy"},
	"internal/tracing":    {},
	"internal/ratelimit":  {},
	"internal/sandbox":    {"internal/config"},
	"internal/sdnotify":   {},
}

// unlinked lists what must not even be linked, however many steps away.
var unlinked = map[string][]string{
	"cmd/assertctl": {"pkcs11", "crypto11", "hclog"},
	"client":        {"pkcs11", "crypto11", "hclog", "oauth2"},
	"ipc":           {"pkcs11", "crypto11", "hclog"},
	"signer":        {"pkcs11", "crypto11"},
	"jwks":          {"pkcs11", "crypto11", "hclog"},
}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func TestImportTable(t *testing.T) {
	for _, pkg := range list(t) {
		name := strings.TrimPrefix(pkg.ImportPath, module)
		if strings.HasPrefix(name, "test/") || strings.HasPrefix(name, "examples/") {
			continue
		}
		may, known := allowed[name]
		if !known {
			t.Errorf("%s is not in the import table: add it here and to docs/design.md", name)
			continue
		}
		checkImports(t, name, pkg.Imports, may)
		checkLinks(t, name, pkg.Deps)
	}
}

func checkImports(t *testing.T, name string, imports, may []string) {
	for _, path := range imports {
		own, ok := strings.CutPrefix(path, module)
		if ok && !slices.Contains(may, own) && !slices.Contains(may, "*") {
			t.Errorf("%s imports %s, which the table does not allow", name, own)
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
