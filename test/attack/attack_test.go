package attack

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/test/script"
)

var long = flag.Bool("long", false, "run the attacks in testdata/long too")

var binaries string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "assertd-attack-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := script.Build(dir, "cmd/assertd", "cmd/assertctl"); err != nil {
		panic("build: " + err.Error())
	}
	binaries = dir
	return m.Run()
}

// TestAttacks runs the scripts and prints what came of them.
func TestAttacks(t *testing.T) {
	var all summary
	t.Run("testdata", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Files:               scripts(t),
			Setup:               all.setup,
			Cmds:                script.Commands(commands),
			RequireExplicitExec: true,
			ContinueOnError:     true,
			Deadline:            script.Deadline(t),
		})
	})
	all.write(os.Stdout)
}

func scripts(t *testing.T) []string {
	t.Helper()
	patterns := []string{"testdata/*.txtar"}
	if *long {
		patterns = append(patterns, "testdata/long/*.txtar")
	}
	var files []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %d scripts, %v", pattern, len(found), err)
		}
		files = append(files, found...)
	}
	return files
}

// expectation is the first comment of a script.
func expectation(t testscript.T, file string) string {
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(source), "\n")
	text, found := strings.CutPrefix(first, "# ")
	if !found {
		t.Fatal(file + ": the first line must say what the attacks expect, as a comment")
	}
	return text
}
