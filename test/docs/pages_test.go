package docs

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func page(t *testing.T, name string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

var profileHeading = regexp.MustCompile(`(?m)^### (\S+)$`)

// TestWhichProfile: the decision tree and the recipes leave no profile out.
func TestWhichProfile(t *testing.T) {
	which, recipes := page(t, "docs/which-profile.md"), page(t, "docs/recipes.md")
	profiles := profileHeading.FindAllStringSubmatch(page(t, "docs/profiles.md"), -1)
	if len(profiles) < 40 {
		t.Fatalf("read %d profiles", len(profiles))
	}
	for _, match := range profiles {
		if name := match[1]; !strings.Contains(which, "(profiles.md#"+name+")") {
			t.Errorf("which-profile.md doesn't link to %s", name)
		} else if !strings.Contains(recipes, "\n### "+name+"\n") {
			t.Errorf("recipes.md has no recipe for %s", name)
		}
	}
}

var recipeCommand = regexp.MustCompile("(?m)^- \\*\\*Try\\*\\*: `assertctl ([^`]+)`$")

// TestRecipeCommands: receivers aren't there to try a recipe with, but
// assertctl must understand its command.
func TestRecipeCommands(t *testing.T) {
	bin := build(t)
	tried := make(map[string]bool)
	for _, match := range recipeCommand.FindAllStringSubmatch(page(t, "docs/recipes.md"), -1) {
		args := strings.Fields(match[1])
		if shape := args[0] + strings.Join(slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return !strings.HasPrefix(arg, "-") }), ""); tried[shape] {
			continue
		} else {
			tried[shape] = true
		}
		if out, err := exec.Command(filepath.Join(bin, "assertctl"), append(args, "--help")...).CombinedOutput(); err != nil {
			t.Errorf("assertctl %s: %v\n%s", match[1], err, out)
		}
	}
	if len(tried) < 6 {
		t.Errorf("tried %d forms of commands", len(tried))
	}
}

var term = regexp.MustCompile(`(?m)^\| \*\*([^*]+)\*\* \|`)

func TestGlossaryIsSorted(t *testing.T) {
	var terms []string
	for _, match := range term.FindAllStringSubmatch(page(t, "docs/glossary.md"), -1) {
		terms = append(terms, strings.ToLower(match[1]))
	}
	if len(terms) < 30 || !slices.IsSorted(terms) {
		t.Errorf("%d terms, not in order: %q", len(terms), terms)
	}
}

var (
	markdownLink = regexp.MustCompile(`\]\(([^):#]*)#([^)]+)\)`)
	headingLine  = regexp.MustCompile(`(?m)^#+ (.+)$`)
	notInAnchor  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	fence        = regexp.MustCompile("(?ms)^```.*?^```$")
)

// anchors are those that forges make of the headings of a page.
func anchors(content string) map[string]bool {
	found := make(map[string]bool)
	for _, match := range headingLine.FindAllStringSubmatch(fence.ReplaceAllString(content, ""), -1) {
		text := notInAnchor.ReplaceAllString(strings.ToLower(match[1]), "")
		found[strings.ReplaceAll(text, " ", "-")] = true
	}
	return found
}

// TestAnchors checks that every link into a page points to one of its headings.
func TestAnchors(t *testing.T) {
	checked := 0
	for _, document := range documents(t) {
		content, err := os.ReadFile(document)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range markdownLink.FindAllStringSubmatch(string(content), -1) {
			target := document
			if match[1] != "" {
				target = filepath.Join(filepath.Dir(document), match[1])
			}
			if filepath.Ext(target) != ".md" {
				continue
			}
			linked, err := os.ReadFile(target)
			if err != nil {
				t.Fatal(err)
			}
			if checked++; !anchors(string(linked))[match[2]] {
				t.Errorf("%s: %s has no heading for #%s", document, target, match[2])
			}
		}
	}
	if checked < 100 {
		t.Errorf("checked %d links", checked)
	}
}

// TestEveryPageIsListed: the README leads to each page.
func TestEveryPageIsListed(t *testing.T) {
	readme := page(t, "README.md")
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	for _, path := range pages {
		if !strings.Contains(readme, "(docs/"+filepath.Base(path)+")") {
			t.Errorf("README.md doesn't link to docs/%s", filepath.Base(path))
		}
	}
}

// TestCopiesNameTheirLicense: people copy these files one by one, away from
// LICENSE.
func TestCopiesNameTheirLicense(t *testing.T) {
	found := 0
	for _, pattern := range []string{
		"examples/*/*.go", "examples/*/*.py", "examples/*/*.mjs", "examples/*/*.sh",
		"sdk/python/src/assertd/*.py", "sdk/python/examples/*.py", "sdk/node/src/*.js", "sdk/node/src/*.ts", "sdk/node/examples/*.js",
		"ipc/*.yaml", "deploy/systemd/assertd.service", "deploy/systemd/assertd.socket", "deploy/helm/assertd/Chart.yaml",
	} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatal(pattern, err)
		}
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if found++; !strings.Contains(string(content), "SPDX-License-Identifier: Apache-2.0\n") {
				t.Errorf("%s has no SPDX line", file)
			}
		}
	}
	if found < 5 {
		t.Errorf("found %d files", found)
	}
}
