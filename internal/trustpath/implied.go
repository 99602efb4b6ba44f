package trustpath

import (
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Implied is a path that a setting implies.
type Implied struct {
	Name string // of the environment variable; "" for an argument
	Path string
	Kind Kind
}

// OfCommand returns the program of a command, the interpreter if it is a
// script, and the files among its arguments, also as --option=FILE. Paths that
// don't exist are left out, except the program's.
func OfCommand(command []string) []Implied {
	var all []Implied
	for i, argument := range command {
		if _, value, option := strings.Cut(argument, "="); option && i > 0 && strings.HasPrefix(argument, "-") {
			argument = value
		}
		if i == 0 || filepath.IsAbs(argument) && isRegular(argument) {
			all = append(all, Implied{Path: argument, Kind: File})
		}
	}
	if len(command) > 0 {
		if path := interpreter(command[0]); path != "" {
			all = append(all, Implied{Path: path, Kind: File})
		}
	}
	return all
}

// interpreter returns the program that executes a script, execve(2), or "".
func interpreter(script string) string {
	file, err := Regular(script)
	if err != nil {
		return ""
	}
	defer file.Close()
	start := make([]byte, 256) // the kernel reads no more
	n, _ := io.ReadFull(file, start)
	line, _, _ := strings.Cut(string(start[:n]), "\n")
	fields := strings.Fields(strings.TrimPrefix(line, "#!"))
	if !strings.HasPrefix(line, "#!") || len(fields) == 0 || !filepath.IsAbs(fields[0]) {
		return ""
	}
	return fields[0]
}

// OfEnvironment returns the files that the values of environment variables
// name, such as a module's configuration. Directories, such as a token's, are
// the module's own affair. Those of the dynamic loader are left to [OfLoader].
func OfEnvironment(environment map[string]string) []Implied {
	var all []Implied
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		for _, path := range filepath.SplitList(environment[name]) {
			if !isLoader(name) && filepath.IsAbs(path) && isRegular(path) {
				all = append(all, Implied{name, path, File})
			}
		}
	}
	return all
}

// OfLoader returns the libraries, and the directories with libraries, that
// environment variables make the dynamic loader use, ld.so(8). It does so as
// soon as the program starts.
func OfLoader(environment map[string]string) []Implied {
	var all []Implied
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		if !isLoader(name) {
			continue
		}
		for _, path := range strings.FieldsFunc(environment[name], func(r rune) bool { return strings.ContainsRune(":; ", r) }) {
			switch info, err := os.Stat(path); {
			case err != nil || !filepath.IsAbs(path):
			case info.IsDir():
				all = append(all, Implied{name, path, Directory})
			default:
				all = append(all, Implied{name, path, File})
			}
		}
	}
	return all
}

func isLoader(name string) bool { return strings.HasPrefix(name, "LD_") }

// CheckAll returns the problems of all paths.
func (r Rules) CheckAll(paths []Implied) error {
	var problems []error
	for _, p := range paths {
		_, err := r.Check(p.Path, p.Kind)
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

func isRegular(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
