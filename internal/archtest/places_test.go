package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// quoted is a file, a directory, or a name in code.
var quoted = regexp.MustCompile("`([A-Za-z0-9_./*-]+)`")

var fileName = regexp.MustCompile(`\.(go|md|yaml|json|txtar)$`)

// TestPlacesExist checks that each file that "Where a change goes" names
// exists. A name without a directory must be in a directory that its change
// names.
func TestPlacesExist(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/design.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n## Where a change goes\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal(`docs/design.md has no section "Where a change goes"`)
	}
	changes := strings.Split(section, "\n**")[1:]
	if len(changes) != 11 {
		t.Errorf("%d changes, want 11", len(changes))
	}
	for _, change := range changes {
		title, text, _ := strings.Cut(change, "**")
		checkPlaces(t, title, text)
	}
}

func checkPlaces(t *testing.T, title, text string) {
	directories, names := []string{root}, []string{}
	for _, match := range quoted.FindAllStringSubmatch(text, -1) {
		name := match[1]
		switch info, err := os.Stat(filepath.Join(root, name)); {
		case err == nil && info.IsDir():
			directories = append(directories, filepath.Join(root, name))
		case fileName.MatchString(name):
			directories = append(directories, filepath.Join(root, filepath.Dir(name)))
			names = append(names, name)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(directories, func(directory string) bool { return exists(filepath.Join(directory, name)) }) {
			t.Errorf("%s: there is no %s", title, name)
		}
	}
}

func exists(pattern string) bool {
	files, err := filepath.Glob(pattern)
	return err == nil && len(files) > 0
}
