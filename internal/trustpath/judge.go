package trustpath

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Problem is a reason not to trust a path, and the command that fixes it.
type Problem struct {
	Path   string // without symbolic links
	Reason string
	Fix    string // a command for a shell
}

func (p *Problem) Error() string { return p.Path + " " + p.Reason + "; run: " + p.Fix }

// Unwrap returns ErrUntrusted.
func (p *Problem) Unwrap() error { return ErrUntrusted }

// trusts reports whether a user may own what this process trusts.
func (r Rules) trusts(uid uint32) bool {
	return uid == 0 || int(uid) == os.Geteuid() || uid == r.User || slices.Contains(r.Owners, uid)
}

// writer is the user that should own what is written.
func (r Rules) writer() uint32 {
	if r.User != 0 {
		return r.User
	}
	return uint32(os.Geteuid())
}

// judge returns why what is at a path is not to be trusted.
func (r Rules) judge(path string, st *unix.Stat_t, kind Kind) []*Problem {
	var problems []*Problem
	add := func(reason, command string) {
		problems = append(problems, &Problem{Path: path, Reason: reason, Fix: command + " " + quote(path)})
	}
	directory, mode := st.Mode&unix.S_IFMT == unix.S_IFDIR, st.Mode&0o7777
	power := "change it"
	if directory {
		power = "replace what is in it"
	}
	if !r.trusts(st.Uid) {
		add(fmt.Sprintf("belongs to uid %d, which can %s", st.Uid, power), "chown "+r.rightOwner(kind))
	}
	switch {
	case st.Mode&unix.S_IFMT == unix.S_IFLNK: // its mode means nothing
	case mode&0o022 != 0 && !(directory && mode&unix.S_ISVTX != 0 && kind != Private):
		add(fmt.Sprintf("has mode %04o, so other users can %s", mode, power), writableFix(kind))
	case kind == Secret && r.readable(st) && !(mode&0o007 == 0 && isCredential(path)):
		add(fmt.Sprintf("has mode %04o, so other users can read it", mode), "chmod 600")
	}
	return problems
}

func writableFix(kind Kind) string {
	if kind == Secret {
		return "chmod 600"
	}
	return "chmod go-w"
}

// isCredential reports whether systemd made a file for this service
// (systemd.exec(5)). It grants access by ACL, which looks like group
// permissions.
func isCredential(path string) bool {
	dir, err := filepath.EvalSymlinks(os.Getenv("CREDENTIALS_DIRECTORY"))
	return err == nil && filepath.IsAbs(dir) && filepath.Dir(path) == dir
}

// rightOwner is root, unless the process must write or read the file itself.
func (r Rules) rightOwner(kind Kind) string {
	if user := r.writer(); user != 0 && kind != File {
		return fmt.Sprint(user)
	}
	return "root"
}

// readable reports whether anyone but root and the process can read a file.
func (r Rules) readable(st *unix.Stat_t) bool {
	others := st.Mode & 0o077
	if others == unix.S_IRGRP && st.Uid == 0 && r.writer() != 0 {
		return !ownGroup(st.Gid)
	}
	return others != 0
}

func ownGroup(gid uint32) bool {
	if int(gid) == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	return err == nil && slices.Contains(groups, int(gid))
}

// quote makes a path safe to paste into a shell.
func quote(path string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r)
	}
	if !strings.ContainsFunc(path, func(r rune) bool { return !safe(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
