// Package manual writes manual pages. Only tests import it: what it takes to
// write the pages is then not linked into the programs.
package manual

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// directory is where the packages want the pages:
// go test ./cmd/assertd -run TestManual -manual DIR
var directory = flag.String("manual", "", "write the manual pages to this `directory`")

// Write writes a page for every command of a program, to the directory of the
// flag -manual or to a temporary one, and fails the test where one is missing.
func Write(t *testing.T, root *cobra.Command) {
	dir := *directory
	if dir == "" {
		dir = t.TempDir()
	}
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "assertd", Manual: "assertd"} // dated by SOURCE_DATE_EPOCH
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	check(t, dir, root)
}

func check(t *testing.T, dir string, cmd *cobra.Command) {
	if cmd.Hidden || cmd.Name() == "help" {
		return
	}
	page := strings.ReplaceAll(cmd.CommandPath(), " ", "-") + ".1"
	if _, err := os.Stat(filepath.Join(dir, page)); err != nil {
		t.Errorf("%s has no manual page: %v", cmd.CommandPath(), err)
	}
	if cmd.Short == "" {
		t.Errorf("%s does not say what it does", cmd.CommandPath())
	}
	for _, child := range cmd.Commands() {
		check(t, dir, child)
	}
}
