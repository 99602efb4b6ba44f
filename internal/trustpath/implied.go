package trustpath

import (
	"errors"
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

// OfCommand returns the program of a command and the files among its arguments,
// such as a script. Paths that don't exist are left out, except the program's.
func OfCommand(command []string) []Implied {
	var all []Implied
	for i, argument := range command {
		if i == 0 || filepath.IsAbs(argument) && isRegular(argument) {
			all = append(all, Implied{Path: argument, Kind: File})
		}
	}
	return all
}

// OfEnvironment returns the files that the values of environment variables
// name, such as a module's configuration, and the directories from which the
// dynamic loader takes libraries (ld.so(8)). Other directories, such as a
// token's, are the module's own affair.
func OfEnvironment(environment map[string]string) []Implied {
	var all []Implied
	for _, name := range slices.Sorted(maps.Keys(environment)) {
		for _, path := range filepath.SplitList(environment[name]) {
			switch info, err := os.Stat(path); {
			case err != nil || !filepath.IsAbs(path):
			case info.Mode().IsRegular():
				all = append(all, Implied{name, path, File})
			case info.IsDir() && strings.HasPrefix(name, "LD_"):
				all = append(all, Implied{name, path, Directory})
			}
		}
	}
	return all
}

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
