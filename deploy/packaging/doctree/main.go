// Command doctree copies the documentation into a package, in the layout of the
// repository, so that relative links work there too. A link to a file that the
// package doesn't have becomes a link to the repository at the same version.
//
//	doctree REPOSITORY-URL/blob/VERSION DIRECTORY FILE…
package main

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) < 4 {
		fmt.Fprintln(os.Stderr, "usage: doctree URL DIRECTORY FILE…")
		os.Exit(2)
	}
	t := tree{url: os.Args[1], target: os.Args[2], files: map[string]bool{}}
	if err := t.copy(os.Args[3:]); err != nil {
		fmt.Fprintln(os.Stderr, "doctree:", err)
		os.Exit(1)
	}
}

// tree is the documentation of one package.
type tree struct {
	url, target string
	files       map[string]bool // paths in the repository, directories included
}

// copy copies the files, and all files below the directories, that args name.
func (t *tree) copy(args []string) error {
	for _, root := range args {
		err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
			if err == nil {
				t.files[file] = !entry.IsDir()
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	for file, regular := range t.files {
		if !regular {
			continue
		}
		if err := t.copyFile(file); err != nil {
			return err
		}
	}
	return nil
}

func (t *tree) copyFile(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if path.Ext(file) == ".md" {
		content = t.relink(path.Dir(file), content)
	}
	target := filepath.Join(t.target, file)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	return os.WriteFile(target, content, 0o644)
}

// link is a Markdown link: its text's end, its target, and its fragment.
var link = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)\s]*)?\)`)

// relink replaces links in a page of the directory dir that the package's files
// can't follow.
func (t *tree) relink(dir string, page []byte) []byte {
	return link.ReplaceAllFunc(page, func(found []byte) []byte {
		parts := link.FindSubmatch(found)
		target := path.Join(dir, string(parts[1]))
		if _, has := t.files[target]; has || strings.Contains(string(parts[1]), "://") {
			return found
		}
		return fmt.Appendf(nil, "](%s/%s%s)", t.url, target, parts[2])
	})
}
