package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// threat is a row of the threat model's tables: a sentence, where it holds, and
// its tests.
var threat = regexp.MustCompile(`(?m)^\| ([^|]+) \|([^|]*)\| ([^|]+) \|$`)

// threatTest is a package and a test in it, or a script.
var threatTest = regexp.MustCompile("`([a-z0-9/]+)` `(Test[A-Za-z0-9]+|Fuzz[A-Za-z0-9]+)`|`([A-Za-z0-9_/.-]+\\.(?:txtar|sh))`")

// TestThreatsHaveTests checks that each sentence in the threat model's tables
// has a test, and that each of these tests exists.
func TestThreatsHaveTests(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/threat-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## What holds, and where it is tested\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal(`docs/threat-model.md has no section "What holds, and where it is tested"`)
	}
	sentences := 0
	for _, row := range threat.FindAllStringSubmatch(section, -1) {
		if row[1] == "sentence" || strings.HasPrefix(row[1], "-") {
			continue
		}
		sentences++
		checkThreat(t, row[1], row[3])
	}
	if rows := strings.Count(section, "\n| ") - strings.Count(section, "\n| sentence |"); sentences != rows || sentences < 15 {
		t.Errorf("read %d of %d sentences", sentences, rows)
	}
}

func checkThreat(t *testing.T, sentence, cell string) {
	tests := threatTest.FindAllStringSubmatch(cell, -1)
	if len(tests) == 0 || strings.Count(cell, ",")+1 != len(tests) {
		t.Errorf("%q: %s: want tests as `package` `Test`, separated by commas", sentence, cell)
	}
	for _, test := range tests {
		switch dir, function, script := test[1], test[2], test[3]; {
		case script != "" && !exists(filepath.Join(root, script)):
			t.Errorf("%q: there is no %s", sentence, script)
		case script == "" && !declares(t, filepath.Join(root, dir), function):
			t.Errorf("%q: %s has no %s", sentence, dir, function)
		}
	}
}

// declares reports whether a test file in the directory declares the function.
func declares(t *testing.T, dir, function string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(source), "\nfunc "+function+"(t *testing.") || strings.Contains(string(source), "\nfunc "+function+"(f *testing.") {
			return true
		}
	}
	return false
}
