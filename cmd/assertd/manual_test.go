package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manual is where the packages want the manual pages: go test ./cmd/assertd -run TestManual -manual DIR
var manual = flag.String("manual", "", "write the manual pages to this directory")

// TestManual writes a manual page for every command that people use. It is a test
// so that what it takes to write them is not in the program.
func TestManual(t *testing.T) {
	dir := *manual
	if dir == "" {
		dir = t.TempDir()
	}
	root := rootCommand()
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "assertd", Manual: "assertd"} // dated by SOURCE_DATE_EPOCH
	if err := doc.GenManTree(root, header, dir); err != nil {
		t.Fatal(err)
	}
	checkManual(t, dir, root)
}

func checkManual(t *testing.T, dir string, cmd *cobra.Command) {
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
		checkManual(t, dir, child)
	}
}
