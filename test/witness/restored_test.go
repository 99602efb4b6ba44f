package witness_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/audit"
)

// A witness whose state was restored from a backup has an old size. The start
// does not wait until all files of the log are read for the proof. Without the
// old files the witness is away until they are back, and nothing is read again
// and again.
func TestAWitnessRestoredFromABackup(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	w.knows(l.origin, l.publicKey())
	l.options = func(o *audit.Options) { o.MaxSize = 4 << 10 }
	r := l.mustStart(1, w)
	r.add(10)
	r.awaitCosigned()
	r.stop()
	w.Kill()
	restore := w.backup()
	w.start()
	r = l.mustStart(1, w)
	for range 3 {
		r.add(20)
		r.awaitCosigned()
	}
	r.stop()
	w.Kill()
	restore()
	w.start()
	putBack := takeRotated(t, l.file())

	r = l.mustStart(1, w)
	if s := r.status(); s.WitnessedLines != 0 || !strings.Contains(s.Witnesses[0].Error, "in the background") && !strings.Contains(s.Witnesses[0].Error, "put them back") {
		t.Errorf("after the start: %+v", s)
	}
	eventually(t, "the older files are missed", func() bool { return strings.Contains(r.status().Witnesses[0].Error, "put them back") })
	putBack()
	r.awaitCosigned()
	eventually(t, "no error", func() bool { return r.status().Witnesses[0].Error == "" })
	r.stop()
	l.verify(1, w)
}

// takeRotated moves the files of a log away, except for the current one.
func takeRotated(t *testing.T, file string) (putBack func()) {
	t.Helper()
	files, err := audit.Files(file)
	check(t, err)
	away := t.TempDir()
	for _, f := range files {
		if f != file {
			check(t, os.Rename(f, filepath.Join(away, filepath.Base(f))))
		}
	}
	return func() {
		t.Helper()
		for _, f := range files {
			if f != file {
				check(t, os.Rename(filepath.Join(away, filepath.Base(f)), f))
			}
		}
	}
}
