package trustpath

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// maxLinks is the maximum number of symbolic links in a path, as in Linux.
const maxLinks = 40

// walker is on the way along a path.
type walker struct {
	rules    Rules
	kind     Kind
	path     string   // as given
	at       string   // where it is now, without symbolic links
	dir      int      // O_PATH descriptor of at
	rest     []string // names still to follow
	links    int
	file     string // name in at of the file that the path leads to, which may be missing; "" for at
	judged   map[string]bool
	problems []error
	accepted []*Problem
}

// follow goes along the whole path. Its error joins the problems that the rules
// don't accept; the walker is then closed.
func (r Rules) follow(path string, kind Kind) (*walker, error) {
	absolute := path
	if !filepath.IsAbs(path) {
		here, err := os.Getwd()
		if err != nil {
			return nil, err
		}
		absolute = here + "/" + path // not cleaned: .. may follow a symbolic link
	}
	w := &walker{rules: r, kind: kind, path: path, dir: -1, rest: names(absolute), judged: map[string]bool{}}
	err := w.root()
	for err == nil && len(w.rest) > 0 {
		name := w.rest[0]
		w.rest = w.rest[1:]
		err = w.step(name)
	}
	if err == nil && w.file == "" && kind < Directory {
		err = checkRegular(path, &unix.Stat_t{Mode: unix.S_IFDIR})
	}
	if err = errors.Join(append(w.problems, err)...); err != nil {
		w.close()
	}
	return w, err
}

// names splits a path, without what leads nowhere.
func names(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

func (w *walker) close() {
	if w.dir >= 0 {
		unix.Close(w.dir)
	}
	w.dir = -1
}

func (w *walker) root() error {
	return w.enter("/", "/", unix.AT_FDCWD)
}

// enter makes a directory the current one.
func (w *walker) enter(path, name string, from int) error {
	fd, err := unix.Openat(from, name, pathOnly|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return pathError(path, err)
	}
	w.close()
	w.at, w.dir = path, fd
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return pathError(path, err)
	}
	if name != ".." { // that one was judged on the way here
		w.judge(path, &st, w.stepKind())
	}
	return nil
}

// step follows one name.
func (w *walker) step(name string) error {
	if name == ".." {
		return w.enter(filepath.Dir(w.at), name, w.dir)
	}
	path := filepath.Join(w.at, name)
	err := w.enter(path, name, w.dir) // O_DIRECTORY also mounts what autofs mounts on demand
	if !errors.Is(err, unix.ENOTDIR) && !errors.Is(err, unix.ELOOP) {
		return w.unlessMissing(name, err)
	}
	st, target, err := lookAt(w.dir, name)
	if err != nil {
		return w.unlessMissing(name, pathError(path, err))
	}
	if target != "" && !(w.last() && w.kind == Written) {
		return w.link(target, path, st)
	}
	return w.end(name, path, st)
}

// unlessMissing ends at a file that is still to be written.
func (w *walker) unlessMissing(name string, err error) error {
	if errors.Is(err, unix.ENOENT) && w.last() && w.kind == Written {
		w.file = name
		return nil
	}
	return err
}

// end stops at what is not a directory.
func (w *walker) end(name, path string, st *unix.Stat_t) error {
	if !w.last() || w.kind >= Directory {
		return pathError(path, unix.ENOTDIR)
	}
	if link := st.Mode&unix.S_IFMT == unix.S_IFLNK; !link { // Written, and to be replaced
		if err := checkRegular(path, st); err != nil {
			return err
		}
	}
	w.file = name
	w.judge(path, st, w.kind)
	return nil
}

// link goes on with the target of a symbolic link.
func (w *walker) link(target, path string, st *unix.Stat_t) error {
	if w.links++; w.links > maxLinks {
		return pathError(w.path, unix.ELOOP)
	}
	w.judge(path, st, File)
	w.rest = append(names(target), w.rest...)
	if target[0] == '/' {
		return w.root()
	}
	return nil
}

// last reports whether no name is left to follow.
func (w *walker) last() bool { return len(w.rest) == 0 }

// stepKind is what the current directory is judged as: the path's kind goes for
// its end only.
func (w *walker) stepKind() Kind {
	switch {
	case w.last() && w.kind >= Directory:
		return w.kind
	case len(w.rest) == 1 && w.kind == Written:
		return Directory
	}
	return File
}

// judge collects the problems of one step, once.
func (w *walker) judge(path string, st *unix.Stat_t, kind Kind) {
	if w.judged[path] {
		return
	}
	w.judged[path] = true
	accepted := w.rules.accepts(path) || isDistributionLog(path, st)
	for _, p := range w.rules.judge(path, st, kind) {
		if accepted {
			w.accepted = append(w.accepted, p)
		} else {
			w.problems = append(w.problems, p)
		}
	}
}

// open opens the file for reading. It judges again what it opened, in case the
// file was replaced meanwhile.
func (w *walker) open() (*os.File, error) {
	path := filepath.Join(w.at, w.file)
	f, err := reopen(w.dir, w.file, path, unix.O_NOFOLLOW)
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, pathError(path, err)
	}
	w.judged = map[string]bool{}
	if w.judge(path, &st, w.kind); len(w.problems) > 0 {
		f.Close()
		return nil, errors.Join(w.problems...)
	}
	return f, nil
}

// directory hands the current directory's descriptor over to the caller.
func (w *walker) directory() *os.File {
	f := os.NewFile(uintptr(w.dir), w.at)
	w.dir = -1
	return f
}

func pathError(path string, err error) error {
	return &fs.PathError{Op: "open", Path: path, Err: err}
}
