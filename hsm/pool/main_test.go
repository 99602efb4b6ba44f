package pool_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

func TestMain(m *testing.M) {
	workertest.Serve()
	os.Exit(m.Run())
}

// config is the configuration for a test's own tokens.
func config(tokens ...pool.TokenConfig) pool.Config {
	return pool.Config{
		Command: workertest.Command(),
		Tokens:  tokens,
	}
}

func tokenConfig(k *softhsm.Token) pool.TokenConfig {
	return pool.TokenConfig{
		Name:        k.Label,
		HSM:         hsm.Config{Module: k.Module, Label: k.Label},
		PIN:         hsm.PINSource{File: k.PINFile()},
		Environment: k.Environment(),
	}
}

// faultyConfig is tokenConfig with the faulty module.
func faultyConfig(k *softhsm.Token, m *faulty.Module) pool.TokenConfig {
	c := tokenConfig(k)
	c.HSM.Module = m.Path()
	for name, value := range m.Environment() {
		c.Environment[name] = value
	}
	return c
}

// running is a pool that runs until the test ends, and its events.
type running struct {
	*pool.Pool
	t      testing.TB
	cancel context.CancelFunc
	ended  chan struct{}

	mu     sync.Mutex
	events []pool.Event
	signed map[string]signed // the last by set
}

// run starts a pool that probes with the keys; it need not become ready.
func run(t testing.TB, c pool.Config, probes ...wire.KeyInfo) *running {
	t.Helper()
	r := newRunning(t)
	c.Observer = r
	var err error
	if r.Pool, err = pool.New(c); err != nil {
		t.Fatal(err)
	}
	r.probeWith(probes...)
	r.begin()
	return r
}

func newRunning(t testing.TB) *running {
	return &running{t: t, ended: make(chan struct{}), signed: make(map[string]signed)}
}

// runPool runs a pool that the test made; its events are lost.
func runPool(t testing.TB, p *pool.Pool) *running {
	r := newRunning(t)
	r.Pool = p
	r.begin()
	return r
}

func (r *running) begin() {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	go func() {
		defer close(r.ended)
		if err := r.Run(ctx); err != nil {
			r.t.Error(err)
		}
	}()
	r.t.Cleanup(r.stop)
}

// runReady is run, and waits until every worker is ready.
func runReady(t testing.TB, c pool.Config) *running {
	t.Helper()
	r := run(t, c)
	if err := r.WaitReady(within(t, 30*time.Second)); err != nil {
		t.Fatal(err)
	}
	r.waitAll()
	return r
}

// probeWith makes keys the pool's probes, with the options of digestOf.
func (r *running) probeWith(keys ...wire.KeyInfo) {
	probes := map[wire.KeyRef]crypto.SignerOpts{}
	for _, k := range keys {
		_, probes[k.Ref] = digestOf(k, "")
	}
	r.SetProbes(probes)
}

func (r *running) stop() {
	r.cancel()
	<-r.ended
}

// inState counts the workers in a state.
func (r *running) inState(state string) (n int) {
	for _, s := range r.Status() {
		if s.State == state {
			n++
		}
	}
	return n
}

// WorkerEvent implements pool.Observer.
func (r *running) WorkerEvent(e pool.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Signed implements pool.Observer.
func (r *running) Signed(set string, t pool.Timing, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signed[set] = signed{t, err}
}

type signed struct {
	timing pool.Timing
	err    error
}

// sign makes a signature and verifies it with the key's public half.
func (r *running) sign(ctx context.Context, k wire.KeyInfo, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return r.Sign(ctx, "", k.Ref, digest, opts, func(signature []byte) error {
		return jose.Verify(k.Public, digest, opts, signature)
	})
}

func (r *running) count(kind pool.EventKind) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// waitAll waits until every worker is ready.
func (r *running) waitAll() {
	r.t.Helper()
	eventually(r.t, 30*time.Second, "every worker is ready", func() bool {
		for _, s := range r.Status() {
			if s.State != ipc.WorkerReady {
				return false
			}
		}
		return true
	})
}

func (r *running) pids() (pids []int) {
	for _, s := range r.Status() {
		if s.PID != 0 {
			pids = append(pids, s.PID)
		}
	}
	return pids
}

// generate makes a key for the test.
func (r *running) generate(typ hsm.KeyType) wire.KeyInfo {
	r.t.Helper()
	k, err := r.Generate(within(r.t, time.Minute), hsm.Spec{Label: "key-" + string(typ), Type: typ})
	if err != nil {
		r.t.Fatal(err)
	}
	return k
}

// prepare makes a key on the token with a pool of its own, for tests that must
// not touch their module beforehand.
func prepare(t testing.TB, k *softhsm.Token, typ hsm.KeyType) wire.KeyInfo {
	t.Helper()
	c := config(tokenConfig(k))
	c.Workers = 1
	r := runReady(t, c)
	defer r.stop()
	return r.generate(typ)
}

func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

func eventually(t testing.TB, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// digestOf is what the key signs for the text, and its options.
func digestOf(k wire.KeyInfo, text string) ([]byte, crypto.SignerOpts) {
	switch k.Type {
	case hsm.Ed25519:
		return []byte(text), crypto.Hash(0)
	case hsm.P384:
		return sum(crypto.SHA384, text), crypto.SHA384
	case hsm.P521:
		return sum(crypto.SHA512, text), crypto.SHA512
	}
	d := sha256.Sum256([]byte(text))
	return d[:], crypto.SHA256
}

func sum(h crypto.Hash, text string) []byte {
	hash := h.New()
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// lines is a logger that keeps its lines.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(level, msg string, args []any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, fmt.Sprint(level, " ", msg, " ", args))
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.all, "\n")
}

func (l *lines) Debug(msg string, args ...any) { l.add("DEBUG", msg, args) }
func (l *lines) Info(msg string, args ...any)  { l.add("INFO", msg, args) }
func (l *lines) Warn(msg string, args ...any)  { l.add("WARN", msg, args) }
func (l *lines) Error(msg string, args ...any) { l.add("ERROR", msg, args) }
