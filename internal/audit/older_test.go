package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// An older copy of only the current file, put back beside the files that were
// renamed since, must not be continued: their numbers would come again. A copy
// that has nothing more than the current file is harmless.
func TestAnOlderCurrentFileBesideNewerArchives(t *testing.T) {
	for name, archive := range map[string]func(*testing.T, string){
		"as it is": func(*testing.T, string) {},
		"compressed": func(t *testing.T, name string) {
			check(t, os.WriteFile(name+".gz", compressed(t, readLines(t, name)), 0o600))
			check(t, os.Remove(name))
		},
		"without the one with the same beginning": func(t *testing.T, name string) { check(t, os.Remove(name)) },
	} {
		t.Run(name, func(t *testing.T) {
			key := ed25519Key(t)
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			o := key.options(file)
			l := start(t, o)
			l.add(jtis(0, 5)...)
			l.stop()
			older := readLines(t, file)
			check(t, os.WriteFile(file+".bak", bytes.Join(older[:3], nil), 0o600))
			l = start(t, o)
			l.add(jtis(5, 5)...)
			for _, suffix := range []string{".1", ".2"} {
				check(t, os.Rename(file, file+suffix))
				check(t, l.Reopen(t.Context()))
				l.add("x" + suffix)
			}
			l.stop()
			again, err := Open(o)
			check(t, err)
			check(t, again.Close())
			archive(t, file+".1")
			writeLines(t, file, older)

			_, err = Open(o)

			if !errors.Is(err, ErrRolledBack) || !strings.Contains(err.Error(), file+" ends") || !strings.Contains(err.Error(), file+".") {
				t.Errorf("got %v", err)
			}
			if !slices.EqualFunc(older, readLines(t, file), bytes.Equal) {
				t.Error("the file was changed")
			}
		})
	}
}

// The other end of a pipe may never come.
func TestAPipeAmongTheArchivesHoldsUpNothing(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 5)
	pipe := filepath.Join(t.TempDir(), "pipe")
	check(t, unix.Mkfifo(pipe, 0o600))
	check(t, os.Symlink(pipe, file+".9"))
	l, err := Open(key.options(file))
	check(t, err)
	check(t, l.Close())
	if _, err := Verify(t.Context(), []string{file}, VerifyOptions{All: true}); err == nil || !strings.Contains(err.Error(), file+".9 is a named pipe, not a regular file") {
		t.Errorf("verify: %v", err)
	}
}
