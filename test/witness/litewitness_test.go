package witness_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/test/litewitness"
)

// newWitness starts a witness that knows no log yet.
func newWitness(t *testing.T, name string) *testWitness {
	t.Helper()
	dir, err := os.MkdirTemp("", "witness") // the path of a socket must be short
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	w, err := litewitness.New(programs(t), dir, name)
	check(t, err)
	t.Cleanup(func() {
		check(t, w.Close())
		if t.Failed() {
			t.Logf("the log of %s:\n%s", name, w.Log())
		}
	})
	tw := &testWitness{t: t, Witness: w, dir: dir}
	tw.start()
	return tw
}

// testWitness is a witness whose failures end the test.
type testWitness struct {
	*litewitness.Witness
	t   *testing.T
	dir string
}

func (w *testWitness) start() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), patience)
	defer cancel()
	check(w.t, w.Start(ctx))
}

// backup keeps what the witness remembers while it is not running, and returns
// a function that restores it.
func (w *testWitness) backup() (restore func()) {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "witness.db*"))
	check(w.t, err)
	kept := map[string][]byte{}
	for _, name := range files {
		kept[name], err = os.ReadFile(name)
		check(w.t, err)
	}
	return func() {
		w.t.Helper()
		now, err := filepath.Glob(filepath.Join(w.dir, "witness.db*"))
		check(w.t, err)
		for _, name := range now {
			check(w.t, os.Remove(name))
		}
		for name, content := range kept {
			check(w.t, os.WriteFile(name, content, 0o600))
		}
	}
}

// knows registers a log.
func (w *testWitness) knows(origin, key string) {
	w.t.Helper()
	check(w.t, w.Know(origin, key))
}

func (w *testWitness) signal(s os.Signal) {
	w.t.Helper()
	check(w.t, w.Signal(s))
}

func (w *testWitness) config() witness.Config {
	w.t.Helper()
	key, err := witness.ParseKey(w.Key)
	check(w.t, err)
	return witness.Config{URL: w.URL, Key: key}
}

// journal is what a process wrote.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(b)
}

func (j *journal) text() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}
