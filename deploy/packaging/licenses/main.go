// Command licenses writes the copyright file of a package: assertd's license,
// then the license and the notice of each module that its programs link.
//
//	licenses PACKAGE…
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	out := bufio.NewWriter(os.Stdout)
	err := write(out, os.Args[1:])
	if err = cmp.Or(err, out.Flush()); err != nil {
		fmt.Fprintln(os.Stderr, "licenses:", err)
		os.Exit(1)
	}
}

// module is what `go list` says about a module.
type module struct {
	Path, Version, Dir string
	Main               bool
}

func write(out io.Writer, packages []string) error {
	modules, err := linked(packages)
	if err != nil {
		return err
	}
	for _, m := range modules {
		files, err := legal(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		fmt.Fprintf(out, "%s\n%s %s\n%[1]s\n\n", strings.Repeat("=", 80), m.Path, m.Version)
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			fmt.Fprintf(out, "%s\n\n", strings.TrimSpace(string(text)))
		}
	}
	return nil
}

// linked lists the modules that the packages link: assertd first, then Go and
// the others by path.
func linked(packages []string) ([]module, error) {
	list := exec.Command("go", append([]string{"list", "-deps", "-json=Module"}, packages...)...)
	list.Stderr = os.Stderr
	text, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	goroot, err := exec.Command("go", "env", "GOROOT", "GOVERSION").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(goroot)), "\n")
	modules := []module{{Path: "Go", Version: strings.TrimPrefix(version, "go"), Dir: root}}
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	for {
		var p struct{ Module *module }
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			slices.SortFunc(modules, compare)
			return modules, nil
		case err != nil:
			return nil, err
		}
		if p.Module != nil && !slices.Contains(modules, *p.Module) {
			modules = append(modules, *p.Module)
		}
	}
}

// compare puts the main module first.
func compare(a, b module) int {
	switch {
	case a.Main:
		return -1
	case b.Main:
		return 1
	}
	return cmp.Compare(strings.ToLower(a.Path), strings.ToLower(b.Path))
}

// legal lists the files in a module's top directory that state its license.
func legal(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, entry := range entries {
		name := strings.ToUpper(entry.Name())
		isLegal := strings.HasPrefix(name, "LICEN") || strings.HasPrefix(name, "COPYING") || strings.HasPrefix(name, "NOTICE")
		if isLegal && entry.Type().IsRegular() {
			files = append(files, filepath.Join(dir, entry.Name()))
		}
	}
	if len(files) == 0 {
		return nil, errors.New("its directory has no license file; find its license and add it by hand")
	}
	return files, nil
}
