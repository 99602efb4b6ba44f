package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ErrOutside means that the rules don't allow a path.
var ErrOutside = errors.New("outside the sandbox")

// Rules say what a process can access: absolute paths, each with everything
// below it. Paths that don't exist when the rules are enforced stay
// inaccessible.
type Rules struct {
	Read  []string // also execute
	Write []string // also read
}

// addDirectories adds the directories of files that the configuration names:
// files are replaced by renaming others over them, and a rule for a file ends
// with the file. It also adds the targets of symbolic links.
func addDirectories(paths []string, files ...string) []string {
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

// directoryOf returns the file's directory, or the file itself if that would be
// the root directory, and so everything.
func directoryOf(file string) string {
	if dir := filepath.Dir(file); dir != "/" {
		return dir
	}
	return file
}

// Covers returns an ErrOutside for the first path that other allows and r
// doesn't.
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

// tidy sorts the paths, and drops duplicates and paths below others.
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

// split separates directories from files, which need separate Landlock rules.
func split(paths []string) (directories, files []string) {
	for _, path := range paths {
		info, err := os.Stat(path)
		switch {
		case err != nil: // nothing to allow
		case info.IsDir():
			directories = append(directories, path)
		default:
			files = append(files, path)
		}
	}
	return directories, files
}
