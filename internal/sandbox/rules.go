package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrOutside means that a path is not within the rules.
var ErrOutside = errors.New("outside the sandbox")

// Rules say what a process may reach: absolute paths, each with all that lies
// beneath it. Paths that don't exist when the rules are enforced stay out of reach.
type Rules struct {
	Read  []string // and execute
	Write []string // and read
}

// named adds files that the configuration names, by their directories: files are
// replaced by renaming others over them, and a rule on a file ends with the file.
// Where a path is a symbolic link, what it leads to is added too.
func named(paths []string, files ...string) []string {
	for _, file := range files {
		if file == "" {
			continue
		}
		paths = append(paths, directoryOf(file))
		if target, err := filepath.EvalSymlinks(file); err == nil && target != file {
			paths = append(paths, directoryOf(target))
		}
	}
	return paths
}

// directoryOf gives the file itself where its directory is the root: that would be
// everything.
func directoryOf(file string) string {
	if dir := filepath.Dir(file); dir != "/" {
		return dir
	}
	return file
}

// Covers returns an error of the kind ErrOutside for the first path that other
// would reach and r does not.
func (r Rules) Covers(other Rules) error {
	for _, path := range other.Write {
		if !within(path, r.Write) {
			return fmt.Errorf("%w: %s can't be written", ErrOutside, path)
		}
	}
	for _, path := range other.Read {
		if !within(path, r.Read) && !within(path, r.Write) {
			return fmt.Errorf("%w: %s can't be read", ErrOutside, path)
		}
	}
	return nil
}

func within(path string, allowed []string) bool {
	for _, parent := range allowed {
		if path == parent || strings.HasPrefix(path, strings.TrimSuffix(parent, "/")+"/") {
			return true
		}
	}
	return false
}

// tidy sorts, and drops what is there twice or beneath another path.
func (r Rules) tidy() Rules {
	r.Write = outermost(r.Write)
	r.Read = outermost(r.Read)
	return r
}

func outermost(paths []string) []string {
	paths = slices.Clone(paths)
	slices.Sort(paths)
	var kept []string
	for _, path := range paths {
		if path != "" && !within(path, kept) {
			kept = append(kept, path)
		}
	}
	return kept
}

// split tells directories from files, which Landlock wants rules of their own for.
func split(paths []string) (directories, files []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil: // nothing to give access to
		case info.IsDir():
			directories = append(directories, path)
		default:
			files = append(files, path)
		}
	}
	return directories, files
}
