package fleet

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/atomicfile"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/secret"
	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
)

// patience is how long anything can take on a machine that is busy.
const patience = time.Minute

var (
	payments = ipc.FreezeTarget{Client: "payments-api"}
	billing  = ipc.FreezeTarget{Client: "billing"}
	known    = []ipc.FreezeTarget{payments, billing}
	operator = caller.Caller{UID: 1000, PID: 4711}
)

// host is a daemon of the fleet, as far as freezes go.
type host struct {
	*freeze.Board
	shared *Freezes
	store  *store.Store
	log    *recorder
	stop   func()
}

type quietSigner struct{}

func (quietSigner) Freeze(signer.Frozen) {}

type recorder struct {
	mu      sync.Mutex
	records []audit.Record
}

func (r *recorder) Append(_ context.Context, record audit.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record)
	return nil
}

func (r *recorder) has(is func(audit.Record) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.records, is)
}

type realFiles struct{}

func (realFiles) Update(_ context.Context, path string, content []byte, mode fs.FileMode) (bool, error) {
	return atomicfile.Update(path, content, mode)
}

func testKey(t *testing.T, text string) Key {
	t.Helper()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key, err := ReadKey(t.Context(), secret.Source{File: path})
	if err != nil {
		t.Fatal(err)
	}
	return key
}

const fleetKey = "0123456789abcdef0123456789abcdef"

// join starts a daemon whose clock is ahead of the others', with a file that
// outlives it.
func join(t *testing.T, name, address, file string, ahead time.Duration) *host {
	t.Helper()
	now := func() time.Time { return time.Now().Add(ahead) }
	s, err := store.Open(t.Context(), store.Options{Addresses: []string{address}, Prefix: "test", Now: now, Logger: logging.Discard})
	if err != nil {
		t.Fatal(err)
	}
	h := &host{store: s, log: &recorder{}, shared: NewFreezes(s, testKey(t, fleetKey))}
	h.Board = freeze.New(freeze.Options{
		Signer: quietSigner{}, Log: h.log, RecordRequired: true, File: file, Files: realFiles{}, Host: name, Fleet: h.shared, Now: now, Logger: logging.Discard,
	})
	if err := h.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = h.Run(ctx) })
	running.Go(func() { _ = h.shared.Run(ctx, h.Board) })
	h.stop = sync.OnceFunc(func() { cancel(); running.Wait(); s.Close() })
	t.Cleanup(h.stop)
	return h
}

func (h *host) freeze(t *testing.T, target ipc.FreezeTarget) ipc.FreezeResponse {
	t.Helper()
	response, err := h.Freeze(t.Context(), operator, ipc.FreezeRequest{FreezeTarget: target, Reason: "key leaked"}, known)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

func (h *host) thaw(t *testing.T, target ipc.FreezeTarget) {
	t.Helper()
	if _, err := h.Thaw(t.Context(), operator, target); err != nil {
		t.Fatal(err)
	}
}

func (h *host) frozen(target ipc.FreezeTarget) (ipc.Freeze, bool) {
	for _, f := range h.Status(known).Freezes {
		if f.FreezeTarget == target {
			return f, true
		}
	}
	return ipc.Freeze{}, false
}

func (h *host) await(t *testing.T, target ipc.FreezeTarget, want bool) {
	t.Helper()
	eventually(t, func() bool { _, is := h.frozen(target); return is == want })
}

func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if is() {
			return
		}
	}
	t.Fatal("it doesn't happen")
}

// passes waits until a daemon has read everything at the server once more.
func (h *host) passes(t *testing.T) {
	t.Helper()
	for range 2 { // one may have begun before
		eventually(t, func() bool { return h.shared.Tell(t.Context()) == nil })
	}
}

// TestFreezeReachesTheFleet: a freeze and a thaw reach every daemon, whatever
// their clocks say, and are recorded there as reported.
func TestFreezeReachesTheFleet(t *testing.T) {
	server := storetest.Start(t, "")
	a, b, c := join(t, "a", server.Address, "", 0), join(t, "b", server.Address, "", 10*time.Minute), join(t, "c", server.Address, "", -10*time.Minute)
	for range 3 { // each time a newer version
		a.freeze(t, payments)
		start := time.Now()
		b.await(t, payments, true)
		c.await(t, payments, true)
		t.Logf("frozen on all after %v", time.Since(start))
		f, _ := c.frozen(payments)
		if own, _ := a.frozen(payments); own.Reported || !f.Reported || f.By != own.By || f.By.Host != "a" || f.Reason != "key leaked" {
			t.Errorf("a says %+v, c says %+v", own, f)
		}
		c.thaw(t, payments) // its clock is the earliest
		a.await(t, payments, false)
		b.await(t, payments, false)
	}
	reported := func(kind, by string) func(audit.Record) bool {
		return func(r audit.Record) bool {
			return r.Kind == kind && r.ReportedBy == by && r.Caller.PID == int32(os.Getpid()) && r.Client == payments.Client
		}
	}
	if !b.log.has(reported(audit.KindFreeze, "uid 1000 pid 4711 on a")) || !b.log.has(reported(audit.KindThaw, "uid 1000 pid 4711 on c")) {
		t.Errorf("records %+v", b.log.records)
	}
	if !a.log.has(func(r audit.Record) bool {
		return r.Kind == audit.KindFreeze && r.Caller.PID == 4711 && r.ReportedBy == ""
	}) {
		t.Errorf("records %+v", a.log.records)
	}
}

// TestFreezeOutlivesTheServer: without the server a freeze stays, an empty
// server gets it back, and a daemon that was away doesn't bring back what was
// thawed meanwhile.
func TestFreezeOutlivesTheServer(t *testing.T) {
	server := storetest.Start(t, "")
	file := filepath.Join(t.TempDir(), "freezes")
	a, away := join(t, "a", server.Address, "", 0), join(t, "away", server.Address, file, 0)
	a.freeze(t, payments)
	away.await(t, payments, true)
	a.freeze(t, billing)
	away.await(t, billing, true)
	away.stop()
	a.thaw(t, billing)
	server.Kill()
	if _, is := a.frozen(payments); !is {
		t.Error("thawed without the server")
	}
	eventually(t, func() bool { return a.shared.Status().Error != "" })
	if warnings := a.freeze(t, billing).Warnings; !slices.ContainsFunc(warnings, func(w string) bool { return strings.Contains(w, "only this host has it") }) {
		t.Errorf("warnings %q", warnings)
	}
	a.thaw(t, billing)
	server.Restart()
	late := join(t, "late", server.Address, "", 0)
	late.await(t, payments, true)
	back := join(t, "away", server.Address, file, 0)
	back.await(t, billing, false)
	back.passes(t)
	for _, h := range []*host{a, back, late} {
		if _, is := h.frozen(billing); is {
			t.Error("a thawed freeze came back")
		}
		if _, is := h.frozen(payments); !is {
			t.Error("a freeze was lost")
		}
	}
}

// TestServerCantLie: who can write to the server can neither freeze nor thaw,
// not with entries of their own, and not with genuine ones that are old or in
// the wrong place.
func TestServerCantLie(t *testing.T) {
	server := storetest.Start(t, "")
	a, b := join(t, "a", server.Address, "", 0), join(t, "b", server.Address, "", 0)
	ctx, client, key := t.Context(), a.store.Client(), a.store.Key("freezes")
	a.freeze(t, payments)
	b.await(t, payments, true)
	entries := func() map[string]string {
		t.Helper()
		var all map[string]string
		eventually(t, func() (ok bool) {
			var err error
			all, err = client.HGetAll(ctx, key).Result()
			return err == nil
		})
		return all
	}
	old := entries()["client payments-api"]
	a.thaw(t, payments)
	b.await(t, payments, false)
	thaw := entries()["client payments-api"]
	a.freeze(t, payments)
	b.await(t, payments, true)
	genuine := entries()["client payments-api"]

	attack := func(field, text string) {
		t.Helper()
		eventually(t, func() bool { return client.HSet(ctx, key, field, text).Err() == nil })
		a.passes(t)
		b.passes(t)
		for _, h := range []*host{a, b} {
			if _, is := h.frozen(payments); !is {
				t.Errorf("thawed by %q", text)
			}
			if _, is := h.frozen(billing); is {
				t.Errorf("frozen by %q", text)
			}
		}
	}
	attack("client payments-api", thaw) // played back
	attack("client payments-api", old)
	attack("client payments-api", strings.Replace(genuine, `"frozen":true`, `"frozen":false`, 1))
	attack("client billing", strings.Replace(genuine, "payments-api", "billing", 1))
	attack("client billing", genuine) // in the wrong place
	_, entry, _ := strings.Cut(genuine, " ")
	other := testKey(t, strings.Repeat("x", 32))
	attack("client billing", other.seal(key, []byte(strings.Replace(entry, "payments-api", "billing", 1))))
	if n := a.shared.Status().Forged; n == 0 {
		t.Error("the forged entries are not counted")
	}
	eventually(t, func() bool { return client.Del(ctx, key, a.store.Key("freezes-revision")).Err() == nil })
	eventually(t, func() bool { return entries()["client payments-api"] == genuine }) // put back
	late := join(t, "late", server.Address, "", 0)
	late.await(t, payments, true)
}

// TestFleetKey: a key that is too short is refused, and none is ever printed.
func TestFleetKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("short-4711\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := ReadKey(t.Context(), secret.Source{File: path})
	if err == nil || !strings.Contains(err.Error(), "openssl rand -hex 32") || strings.Contains(err.Error(), "4711") {
		t.Errorf("error %v", err)
	}
}
