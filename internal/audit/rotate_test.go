package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRotationBySize(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := ecdsaKey(t)
	o := key.options(file)
	o.MaxSize, o.Interval = 4000, time.Millisecond
	l := start(t, o)
	var written []string
	eventually(t, "five files", func() bool {
		more := jtis(len(written), 5)
		written = append(written, more...)
		l.add(more...)
		return len(logFiles(t, file)) >= 5
	})
	l.stop()
	files := logFiles(t, file)
	r := mustVerify(t, files, VerifyOptions{Verifiers: key.verifiers})
	if r.Files != len(files) || r.Unproven != 0 || r.Checkpoints < len(files) {
		t.Errorf("%+v", r)
	}
	slices.Reverse(files) // any order will do
	mustVerify(t, files, VerifyOptions{Verifiers: key.verifiers})
	found := jtisIn(t, files)
	for _, jti := range written {
		if !found[jti] {
			t.Errorf("%s is missing", jti)
		}
	}
}

// Each rotated file ends with a checkpoint, so it verifies by itself. So do the
// later files if early ones are gone.
func TestVerifyPartOfTheLog(t *testing.T) {
	key := ed25519Key(t)
	files := threeFiles(t, filepath.Join(t.TempDir(), "audit.jsonl"), key)
	for _, part := range [][]string{files[:1], files[1:2], files[2:], files[1:]} {
		r := mustVerify(t, part, VerifyOptions{Verifiers: key.verifiers})
		if r.Unproven != 0 || r.Checkpoints == 0 {
			t.Errorf("%v: %+v", part, r)
		}
	}
	if r := mustVerify(t, files[1:], VerifyOptions{Verifiers: key.verifiers}); r.First == 0 {
		t.Error("the report does not say that earlier files are missing")
	}
}

func TestVerifyAcrossFiles(t *testing.T) {
	key := ed25519Key(t)
	for name, c := range map[string]struct {
		do      func(t *testing.T, files []string) []string
		file    int // of the bad line
		problem Problem
	}{
		"file missing": {func(t *testing.T, f []string) []string { return []string{f[0], f[2]} }, 2, Dropped},
		"end of a file cut off": {func(t *testing.T, f []string) []string {
			lines := readLines(t, f[0])
			writeLines(t, f[0], lines[:len(lines)-2])
			return f
		}, 1, Dropped},
		"last line torn": {func(t *testing.T, f []string) []string {
			lines := readLines(t, f[0])
			lines[len(lines)-1] = bytes.TrimSpace(lines[len(lines)-1])
			writeLines(t, f[0], lines)
			return f
		}, 0, Changed},
		"last line changed": {func(t *testing.T, f []string) []string {
			lines := readLines(t, f[0])
			lines[len(lines)-2] = replaceIn(lines[len(lines)-2], "allowed", "refused")
			writeLines(t, f[0], lines)
			return f
		}, 0, Changed},
		"file given twice": {func(t *testing.T, f []string) []string {
			check(t, os.WriteFile(f[0]+".copy", bytes.Join(readLines(t, f[0]), nil), 0o600))
			return append(slices.Clone(f), f[0]+".copy")
		}, 3, Added},
		"header of a middle file gone": {func(t *testing.T, f []string) []string {
			writeLines(t, f[1], readLines(t, f[1])[1:])
			return f
		}, 1, Dropped},
		"lines moved between files": {func(t *testing.T, f []string) []string {
			a, b := readLines(t, f[0]), readLines(t, f[1])
			writeLines(t, f[0], append(a, b[0]))
			writeLines(t, f[1], b[1:])
			return f
		}, 1, Dropped},
	} {
		t.Run(name, func(t *testing.T) {
			files := threeFiles(t, filepath.Join(t.TempDir(), "audit.jsonl"), key)
			given := c.do(t, files)
			_, err := Verify(t.Context(), given, VerifyOptions{Verifiers: key.verifiers})
			var bad *BadLine
			if !errors.As(err, &bad) {
				t.Fatalf("got %v", err)
			}
			want := append(files, files[0]+".copy")[c.file]
			if bad.Problem != c.problem || bad.File != want {
				t.Errorf("want %s in %s, got %v", c.problem, want, err)
			}
			t.Log(err)
		})
	}
}

// threeFiles makes a log of three files the way logrotate does, the oldest
// first.
func threeFiles(t *testing.T, file string, key testKey) []string {
	t.Helper()
	l := start(t, key.options(file))
	defer l.stop()
	files := []string{file + ".2", file + ".1", file}
	for i, to := range files[:2] {
		l.add(jtis(i*10, 10)...)
		check(t, os.Rename(file, to))
		check(t, l.Reopen(t.Context()))
	}
	l.add(jtis(20, 10)...)
	return files
}

func TestReopenAfterLogrotate(t *testing.T) {
	for name, prepare := range map[string]func(file string) error{
		"nocreate": func(string) error { return nil },
		"create":   func(file string) error { return os.WriteFile(file, nil, 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			key := ed25519Key(t)
			l := start(t, key.options(file))
			l.add("before")
			check(t, os.Rename(file, file+".1"))
			l.add("between") // goes to the renamed file
			check(t, prepare(file))
			check(t, l.Reopen(t.Context()))
			l.add("after")
			l.stop()
			if n := len(readLines(t, file+".1")); n != 4 { // header, two records, checkpoint
				t.Errorf("%d lines in the old file", n)
			}
			if !jtisIn(t, []string{file})["after"] {
				t.Error("the record after Reopen is not in the new file")
			}
			mustVerify(t, []string{file, file + ".1"}, VerifyOptions{Verifiers: key.verifiers})
		})
	}
}

// An operator may ask for Reopen without having moved the file. Then it must
// leave the file alone.
func TestReopenWithTheFileInPlace(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, Options{File: file})
	l.add("a")
	check(t, l.Reopen(t.Context()))
	l.add("b")
	if n := len(readLines(t, file)); n != 3 || len(logFiles(t, file)) != 1 {
		t.Errorf("%d lines, files %v", n, logFiles(t, file))
	}
}

func TestReopenRejectsANonEmptyFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, Options{File: file})
	l.add("a")
	check(t, os.Rename(file, file+".1"))
	check(t, os.WriteFile(file, []byte("hello\n"), 0o600))
	if err := l.Reopen(t.Context()); err == nil {
		t.Error("accepted a file that is not empty")
	}
	l.add("b") // the old file is still good
	if !jtisIn(t, []string{file + ".1"})["b"] {
		t.Error("the record is lost")
	}
}

func TestRotationByAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		l := start(t, Options{File: file, MaxAge: time.Hour, Interval: time.Minute})
		time.Sleep(2*time.Hour + 30*time.Second) // an old file without records is not rotated
		if n := len(logFiles(t, file)); n != 1 {
			t.Errorf("%d files", n)
		}
		l.add("a")
		time.Sleep(time.Minute)
		if n := len(logFiles(t, file)); n != 2 {
			t.Errorf("%d files", n)
		}
		time.Sleep(30 * time.Minute)
		l.add("b")
		l.stop()
		mustVerify(t, logFiles(t, file), VerifyOptions{})
	})
}

// A file that began while the clock was years ahead is rotated nevertheless.
func TestRotationByAgeAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		o := Options{File: file, Clock: func() time.Time { return time.Now().AddDate(9, 0, 0) }}
		l := start(t, o)
		l.add("a")
		l.stop()
		o.Clock, o.MaxAge = nil, time.Hour
		l = start(t, o)
		time.Sleep(61 * time.Minute)
		if n := len(logFiles(t, file)); n != 2 {
			t.Errorf("%d files", n)
		}
		l.stop()
		mustVerify(t, logFiles(t, file), VerifyOptions{})
	})
}

// If the daemon ends before the next file has a header, the log continues from
// the renamed file, whatever renamed it.
func TestOpenContinuesFromARotatedFile(t *testing.T) {
	for _, name := range []string{".1", "-20261121", ".20261121T010203.000000Z", ".1.gz"} {
		for _, empty := range []bool{false, true} {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			key := ed25519Key(t)
			files := threeFiles(t, file, key)
			check(t, os.Rename(files[1], file+".1000"))
			check(t, os.Rename(file, file+name))
			if isCompressed(name) { // by logrotate, while no daemon was running
				content, err := os.ReadFile(file + name)
				check(t, err)
				check(t, os.WriteFile(file+name, compress(t, content), 0o600))
			}
			if empty {
				check(t, os.WriteFile(file, nil, 0o600))
			}
			l := start(t, key.options(file))
			l.add("next")
			l.stop()
			r := mustVerify(t, logFiles(t, file), VerifyOptions{Verifiers: key.verifiers})
			if r.Files != 4 || r.First != 0 {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestLogDetectsForeignChanges(t *testing.T) {
	for name, c := range map[string]struct {
		do    func(t *testing.T, file string)
		wants string // in the recovery line
	}{
		"removed": {func(t *testing.T, file string) { check(t, os.Remove(file)) }, "removed"},
		"removed after it was compressed": {func(t *testing.T, file string) {
			check(t, os.WriteFile(file+".1.gz", compressed(t, readLines(t, file)), 0o600))
			check(t, os.Remove(file))
		}, "removed"},
		"replaced": {func(t *testing.T, file string) {
			other := readLines(t, file)[:5]
			writeLines(t, file+"~", other)
			check(t, os.Rename(file+"~", file))
		}, "removed"},
		"cut": {func(t *testing.T, file string) { check(t, os.Truncate(file, 100)) }, "was cut"},
		"added to": {func(t *testing.T, file string) {
			f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
			check(t, err)
			_, err = f.WriteString("hello\n")
			check(t, errors.Join(err, f.Close()))
		}, "added 6 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			l := start(t, Options{File: file, Interval: time.Millisecond})
			l.add(jtis(0, 10)...)
			c.do(t, file)
			eventually(t, "a new file that says so", func() bool {
				b, _ := os.ReadFile(file)
				return bytes.Contains(b, []byte(c.wants)) && bytes.Contains(b, []byte(`"what":"file changed by others"`))
			})
			l.add("after")
			if !jtisIn(t, []string{file})["after"] {
				t.Error("the record after it is lost")
			}
			l.stop()
			if r := mustVerify(t, []string{file}, VerifyOptions{}); r.First != 11 || r.Recoveries != 1 {
				t.Errorf("%+v", r)
			}
			files := logFiles(t, file)
			if c.wants == "removed" { // what only the daemon still had is back
				files = slices.DeleteFunc(files, func(f string) bool { return strings.Contains(f, damagedInfix) })
				if r := mustVerify(t, files, VerifyOptions{FromStart: true}); r.Files != 2 {
					t.Errorf("%+v", r)
				}
				return
			}
			if _, err := Verify(t.Context(), files, VerifyOptions{}); len(files) != 2 || !errors.Is(err, ErrTampered) {
				t.Errorf("files %v: %v", files, err)
			}
		})
	}
}
