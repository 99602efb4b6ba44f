// Package manual writes manual pages and checks help. Only tests import it, so
// that the programs do not link what writes the pages.
package manual

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

const columns = 80

// directory is for the build of the packages:
// go test ./cmd/assertd -run TestManual -manual DIR
var directory = flag.String("manual", "", "write the manual pages to this `directory`")

// Write writes a page for every command of a program, to the directory in the
// flag -manual or to a temporary one. It fails the test if a page is missing,
// or if help does not fit a terminal of 80 columns.
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
	checkWidth(t, cmd)
	if cmd.Name() == "completion" {
		return // its subcommands and their texts are cobra's
	}
	for _, child := range cmd.Commands() {
		check(t, dir, child)
	}
}

func checkWidth(t *testing.T, cmd *cobra.Command) {
	var help strings.Builder
	cmd.SetOut(&help)
	if err := cmd.Help(); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(help.String()) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > columns {
			t.Errorf("%s --help has a line of more than %d columns: %s", cmd.CommandPath(), columns, line)
		}
	}
}
