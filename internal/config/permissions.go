package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ErrUntrusted means that someone other than root and the daemon's user could
// have written the configuration.
var ErrUntrusted = errors.New("the configuration can't be trusted")

// maxLinks is the maximum number of symbolic links in a path, as in Linux.
const maxLinks = 40

// readTrusted reads a file that only root and the current user can have
// changed: the file and every directory on the way to it, through every
// symbolic link, must belong to one of the two and be writable by no one else.
// Directories with the sticky bit, such as /tmp, can be writable by others.
func readTrusted(path string) ([]byte, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	resolved, err := walkTrusted(absolute, uint32(os.Geteuid()))
	if err != nil {
		return nil, err
	}
	// O_NONBLOCK: opening a FIFO must not block before it can be refused.
	f, err := os.OpenFile(resolved, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := checkOpen(f, resolved); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, MaxSize+1)) // Parse refuses the extra byte
}

func checkOpen(f *os.File, path string) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is not a regular file", ErrUntrusted, path)
	}
	return checkOwned(path, info, uint32(os.Geteuid()))
}

// walkTrusted resolves an absolute path and checks every step of it.
func walkTrusted(path string, self uint32) (resolved string, err error) {
	resolved, rest, links := "/", strings.Split(path, "/"), 0
	for len(rest) > 0 {
		step := rest[0]
		rest = rest[1:]
		switch step {
		case "", ".":
			continue
		case "..":
			resolved = filepath.Dir(resolved)
			continue
		}
		next := filepath.Join(resolved, step)
		info, err := checkStep(next, self)
		if err != nil {
			return "", err
		}
		if info.Mode()&fs.ModeSymlink == 0 {
			resolved = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: %w", path, syscall.ELOOP)
		}
		target, err := os.Readlink(next)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			resolved = "/"
		}
		rest = append(strings.Split(target, "/"), rest...)
	}
	return resolved, nil
}

func checkStep(path string, self uint32) (fs.FileInfo, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	return info, checkOwned(path, info, self)
}

// checkOwned refuses a file that others own or can write, with the command that
// fixes it.
func checkOwned(path string, info fs.FileInfo, self uint32) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("%w: can't determine the owner of %s", ErrUntrusted, path)
	}
	if stat.Uid != 0 && stat.Uid != self {
		return fmt.Errorf("%w: %s belongs to uid %d, which could change it; run: chown root %s", ErrUntrusted, path, stat.Uid, shellQuote(path))
	}
	mode := info.Mode()
	sticky := mode.IsDir() && mode&fs.ModeSticky != 0
	if mode&fs.ModeSymlink != 0 || sticky || mode.Perm()&0o022 == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s has mode %04o, so users other than its owner can write it; run: chmod go-w %s", ErrUntrusted, path, mode.Perm(), shellQuote(path))
}

// shellQuote makes a path safe to paste into a shell.
func shellQuote(path string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@", r)
	}
	if !strings.ContainsFunc(path, func(r rune) bool { return !safe(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}
