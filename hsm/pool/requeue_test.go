package pool_test

import (
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// copyKeys copies a token's objects to a token that began as a copy of it.
func copyKeys(t *testing.T, from, to string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if filepath.Base(file) == "token.object" {
			continue
		}
		name, err := filepath.Rel(from, file)
		if err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// Signatures wait for a busy token. When a second token turns out to hold the
// key as well, its idle workers take them at once.
func TestQueueMovesToANewHolder(t *testing.T) {
	const queued = 8
	soft, m := softhsm.New(t), faulty.Build(t)
	dir := filepath.Join(t.TempDir(), "tokens")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(soft.Dir, "tokens"))); err != nil {
		t.Fatal(err)
	}
	k := prepare(t, soft, hsm.P256)
	conf := writeFile(t, "softhsm2.conf", "directories.tokendir = "+dir+"\nobjectstore.backend = file\nlog.level = ERROR\n")
	busy, idle := faultyConfig(soft, m), tokenConfig(soft)
	busy.Name, idle.Name = "busy", "idle"
	busy.HSM.Sessions = 1
	idle.Environment = map[string]string{"SOFTHSM2_CONF": conf}
	c := config(busy, idle)
	c.Workers, c.Timeout = 1, time.Minute // so that no signature is sent twice
	p := runReady(t, c)

	m.Set(t, "C_Sign", faulty.Fault{Action: faulty.Delay, Wait: 4 * time.Second})
	digest, opts := digestOf(k, "text")
	var all sync.WaitGroup
	for range queued + 1 {
		all.Go(func() {
			if _, err := p.sign(t.Context(), k, digest, opts); err != nil {
				t.Error(err)
			}
		})
	}
	eventually(t, 10*time.Second, "the busy token signs", func() bool { return m.Fired(t, "C_Sign") > 0 })
	eventually(t, 10*time.Second, "the others wait", func() bool { return p.Queued() == queued })
	copyKeys(t, filepath.Join(soft.Dir, "tokens"), dir)
	if err := p.Refresh(within(t, 20*time.Second)); err != nil {
		t.Fatal(err)
	}
	if n := p.Queued(); n > 0 {
		t.Errorf("%d signatures still wait although a token is idle", n)
	}
	all.Wait()
	if n := m.Fired(t, "C_Sign"); n > queued/2 {
		t.Errorf("the busy token made %d signatures", n)
	}
}
