package modules

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/jose"
)

var update = flag.Bool("update", false, "write what was found to docs/hsm/table.md")

// tablePath is the page with one section for each module.
const tablePath = "../../docs/hsm/table.md"

// result is what a token did with the keys of one algorithm.
type result struct {
	alg                                                string
	generate, sign, adopt, imported, rotate, recovered bool
}

// table has the results for one module, a row for each algorithm.
type table []*result

func newTable(m *Module) table {
	var t table
	for _, alg := range jose.Names() {
		tested := m.Only == nil || slices.Contains(m.Only, alg)
		if tested && alg != "Ed25519" { // which is EdDSA by its newer name
			t = append(t, &result{alg: alg})
		}
	}
	return t
}

func (t table) algorithms() (all []string) {
	for _, row := range t {
		all = append(all, row.alg)
	}
	return all
}

func (t table) row(alg string) *result {
	for _, row := range t {
		if row.alg == alg {
			return row
		}
	}
	return &result{}
}

func (t table) generate(alg string) *bool { return &t.row(alg).generate }
func (t table) sign(alg string) *bool     { return &t.row(alg).sign }
func (t table) adopt(alg string) *bool    { return &t.row(alg).adopt }
func (t table) imported(alg string) *bool { return &t.row(alg).imported }
func (t table) rotate(alg string) *bool   { return &t.row(alg).rotate }
func (t table) recover(alg string) *bool  { return &t.row(alg).recovered }

// markdown is the table as the page has it.
func (t table) markdown() string {
	text := "| algorithm | generate | sign | adopt | import | rotate | recover |\n|---|---|---|---|---|---|---|\n"
	for _, row := range t {
		text += fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |\n", row.alg, yes(row.generate), yes(row.sign), yes(row.adopt),
			yes(row.imported), yes(row.rotate), yes(row.recovered))
	}
	return text
}

func yes(does bool) string {
	if does {
		return "yes"
	}
	return "no"
}

// compare compares what was found with the module's section of the page, or
// writes it there.
func compare(t *testing.T, module string, found table) {
	t.Helper()
	page, err := os.ReadFile(filepath.FromSlash(tablePath))
	check(t, err)
	heading := "## " + module + "\n\n"
	before, rest, ok := strings.Cut(string(page), heading)
	section, after, more := strings.Cut(rest, "\n## ")
	if more {
		after = "\n## " + after
	}
	switch want := found.markdown(); {
	case *update && !ok:
		check(t, os.WriteFile(tablePath, []byte(string(page)+"\n"+heading+want), 0o644))
	case *update && !t.Failed():
		check(t, os.WriteFile(tablePath, []byte(before+heading+want+after), 0o644))
	case strings.TrimSpace(section) != strings.TrimSpace(want):
		t.Errorf("%s doesn't say what %s did; run go test ./test/modules -update and read the difference. It did:\n%s", tablePath, module, want)
	}
}
