package daemon

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

const day = 24 * time.Hour

// journal keeps what is logged, a line each.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(level, message string, args []any) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, level+" "+message+" "+fmt.Sprint(args...))
}

func (j *journal) Debug(m string, a ...any) {}
func (j *journal) Info(m string, a ...any)  { j.add("INFO", m, a) }
func (j *journal) Warn(m string, a ...any)  { j.add("WARN", m, a) }
func (j *journal) Error(m string, a ...any) { j.add("ERROR", m, a) }

// take gives the lines since it was asked last.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

// bench is a rotation on a real token through a real worker, at a clock that
// the test sets.
type bench struct {
	*rotation
	*journal
	t     *testing.T
	pool  *pool.Pool
	clock time.Time
	sets  []keyset.Set
	types map[string]hsm.KeyType
}

func newPool(t *testing.T, k *softhsm.Token) *pool.Pool {
	t.Helper()
	p, err := pool.New(pool.Config{
		Command: []string{"/proc/self/exe", "hsm-worker"}, Workers: 1,
		Tokens: []pool.TokenConfig{{
			Name: "token", HSM: hsm.Config{Module: k.Module, Label: k.Label},
			PIN: hsm.PINSource{File: k.PINFile()}, Environment: k.Environment(),
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if err := p.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return p
}

// newBench has one key set, "payments", that rotates every 90 days.
func newBench(t *testing.T, p *pool.Pool, auto bool) *bench {
	b := &bench{
		t: t, journal: &journal{}, pool: p, clock: start,
		sets: []keyset.Set{{Name: "payments", Alg: "ES256", Rotation: keyset.Rotation{
			Every: 90 * day, PublishBefore: day, KeepAfter: day, AssertionLife: time.Minute,
		}}},
	}
	if auto {
		b.types = map[string]hsm.KeyType{"payments": hsm.P256}
	}
	d := &Daemon{Options: Options{Config: &config.Config{}, Logger: b.journal, Now: func() time.Time { return b.clock }}, pool: p, ring: &ringHolder{}}
	b.rotation = d.newRotation()
	b.rotation.auto = func() map[string]hsm.KeyType { return b.types }
	b.rotation.look = b.lookAgain
	b.rotation.delay = func(time.Duration) time.Duration { return 0 }
	if err := b.setRing(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) setRing() error {
	ring, err := keyset.New(b.sets, pairs(b.pool.Inventory()), func() time.Time { return b.clock })
	if err == nil {
		b.ring.current.Store(ring)
	}
	return err
}

func (b *bench) lookAgain(ctx context.Context) error {
	if err := b.pool.Refresh(ctx); err != nil {
		return err
	}
	return b.setRing()
}

// at has the rotation take a turn at a time after the start, and gives what it
// said.
func (b *bench) at(after time.Duration) []string {
	b.t.Helper()
	b.clock = start.Add(after)
	b.turn(b.t.Context())
	return b.take()
}

func (b *bench) says(after time.Duration, want ...string) {
	b.t.Helper()
	lines := b.at(after)
	if len(lines) != len(want) {
		b.t.Errorf("after %s it said %q, want %q", after, lines, want)
		return
	}
	for i := range want {
		if !strings.Contains(lines[i], want[i]) {
			b.t.Errorf("after %s it said %q, want %q", after, lines[i], want[i])
		}
	}
}

func (b *bench) generate(after time.Duration) string {
	b.t.Helper()
	key, err := b.pool.Generate(b.t.Context(), hsm.Spec{Label: keyset.Label("payments", start.Add(after)), Type: hsm.P256})
	if err != nil {
		b.t.Fatal(err)
	}
	kid, err := jwks.Thumbprint(key.Public)
	if err != nil {
		b.t.Fatal(err)
	}
	return kid
}

// versions counts the pairs on the token.
func (b *bench) versions() int {
	b.t.Helper()
	if err := b.pool.Refresh(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
	return len(b.pool.Inventory())
}

// destroy takes a pair off the token behind the pool's back.
func destroy(t *testing.T, k *softhsm.Token, kid string) {
	t.Helper()
	pin, err := hsm.PINSource{File: k.PINFile()}.Read(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if thumbprint, _ := jwks.Thumbprint(key.Public()); thumbprint == kid {
			if err := token.Destroy(key); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Fatalf("no key %s", kid)
}

func TestNextVersionIsMadeWhenDueAndOnce(t *testing.T) {
	k := softhsm.New(t)
	b := newBench(t, newPool(t, k), true)
	b.says(0) // no version at all is for people to look at
	b.generate(0)
	b.says(89 * day)
	b.says(90*day+time.Second, "INFO made the next version")
	b.says(90*day + time.Minute)
	if n := b.versions(); n != 2 {
		t.Fatalf("%d versions", n)
	}
	plan := b.plans()[0]
	if !plan.Auto || plan.Late || plan.DueAt.Before(start.Add(180*day)) || len(plan.Published()) != 2 {
		t.Errorf("plan %+v", plan)
	}
	// The machine was off for a year: one version is enough.
	b.says(545*day, "INFO made the next version")
	b.says(545*day + time.Hour)
	if n := b.versions(); n != 3 {
		t.Errorf("%d versions", n)
	}
}

func TestDaemonsOfOneTokenMakeOneVersion(t *testing.T) {
	p := newPool(t, softhsm.New(t))
	first, second := newBench(t, p, true), newBench(t, p, true)
	first.generate(0)
	first.says(0)
	second.says(0)
	// The second waits for its moment while the first makes the version.
	second.delay = func(time.Duration) time.Duration {
		first.says(90*day+time.Second, "INFO made the next version")
		return 0
	}
	second.says(90*day + time.Second)
	if n := first.versions(); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
}

func TestPeopleAreWarnedAhead(t *testing.T) {
	b := newBench(t, newPool(t, softhsm.New(t)), false)
	b.generate(0)
	b.says(82 * day)
	b.says(83*day+time.Hour, "WARN the next version of a key set is due soon")
	b.says(83*day + 2*time.Hour)
	lines := b.at(84*day + 2*time.Hour)
	if len(lines) != 1 || !strings.Contains(lines[0], "assertd key generate payments") {
		t.Errorf("the next day it said %q", lines)
	}
	b.says(91*day, "WARN the next version of a key set is overdue")
	b.generate(91 * day)
	b.says(92*day + 12*time.Hour)
	if n := b.versions(); n != 2 {
		t.Errorf("%d versions: without auto none is made", n)
	}
}

func TestAVanishedKeyIsAnAlarmAndNoReasonToGenerate(t *testing.T) {
	k := softhsm.New(t)
	b := newBench(t, newPool(t, k), true)
	b.generate(0)
	second := b.generate(90 * day)
	b.says(100 * day)
	destroy(t, k, second)
	lines := b.at(100*day + time.Minute)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "ERROR a published key version has vanished") || !strings.Contains(lines[0], second) {
		t.Errorf("it said %q", lines)
	}
	if plan := b.plans()[0]; !plan.Late || !slices.Equal(plan.Lost, []string{second}) {
		t.Errorf("late %v, lost %q", plan.Late, plan.Lost)
	}
	b.says(100*day + time.Hour)
	b.says(102*day, "ERROR a published key version has vanished")
	if n := b.versions(); n != 1 {
		t.Fatalf("%d versions: one was made in place of the lost one", n)
	}
	// A person has looked, and says that the lost one must not come back.
	b.sets[0].Rotation.Revoke = []string{second}
	b.says(102*day+time.Minute, "INFO made the next version")
}

// A daemon that was away can't remember. What it published last can.
func TestAKeyThatVanishedWhileNoDaemonRanIsAnAlarm(t *testing.T) {
	k := softhsm.New(t)
	p := newPool(t, k)
	before := newBench(t, p, true)
	before.generate(0)
	second := before.generate(90 * day)
	before.says(100 * day)
	file := filepath.Join(t.TempDir(), "jwks.json")
	keys, _ := before.ring.current.Load().Published("payments")
	if set, err := jwks.NewSet(keys); err != nil || set.Len() != 1 {
		t.Fatal(keys, err)
	} else if _, err := jwks.WriteFile(file, set); err != nil {
		t.Fatal(err)
	}

	// Nothing is wrong after a restart where nothing has vanished.
	restarted := func() *bench {
		b := newBench(t, p, true)
		d := &Daemon{Options: Options{Config: &config.Config{JWKS: config.JWKS{File: file}}, Logger: b.journal}, pool: p}
		b.witness = d.lastPublished()
		return b
	}
	restarted().says(100 * day)

	destroy(t, k, second)
	b := restarted()
	b.says(101*day, "ERROR a published key version has vanished")
	b.says(101*day + time.Minute)
	if n := b.versions(); n != 1 {
		t.Fatalf("%d versions: one was made in place of the lost one", n)
	}
	b.sets[0].Rotation.Revoke = []string{second}
	b.says(101*day+time.Hour, "INFO made the next version")

	// Where several sets could have had it none of them goes on as if nothing was.
	b = restarted()
	b.sets = append(b.sets, b.sets[0])
	b.sets[1].Name = "other"
	b.says(101*day+time.Hour, "WARN a key that the jwks file shows is on no token", "ERROR a published key", "ERROR a published key")

	// A file that tells nothing is no reason to stop.
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	restarted().says(102*day, "WARN the jwks file can't be read")
}

func TestNothingIsMadeWhereTheTokenCannotBeAsked(t *testing.T) {
	k := softhsm.New(t)
	b := newBench(t, newPool(t, k), true)
	b.generate(0)
	b.says(0)
	k.Lose()
	lines := b.at(91 * day)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "ERROR the next version of a key set could not be made") {
		t.Errorf("it said %q", lines)
	}
	if plan := b.plans()[0]; len(plan.Lost) > 0 || plan.Signing == nil {
		t.Errorf("lost %q", plan.Lost)
	}
	k.Restore()
	for deadline := time.Now().Add(20 * time.Second); b.pool.Refresh(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token did not come back")
		}
	}
	b.says(91*day+time.Hour, "INFO made the next version")
}

func TestARefusedKeyIsToldAgain(t *testing.T) {
	b := newBench(t, newPool(t, softhsm.New(t)), true)
	b.generate(0)
	b.says(0)
	if _, err := b.pool.Generate(t.Context(), hsm.Spec{Label: "payments/tomorrow", Type: hsm.P256}); err != nil {
		t.Fatal(err)
	}
	b.says(time.Hour, "ERROR what is on the tokens is refused")
	b.says(2 * time.Hour)
	b.says(25*time.Hour, "payments/tomorrow")
	if plan := b.plans()[0]; plan.Signing == nil || len(plan.Lost) > 0 {
		t.Errorf("plan %+v", plan)
	}
}

func TestRetiredKeysMayGo(t *testing.T) {
	k := softhsm.New(t)
	b := newBench(t, newPool(t, k), false)
	first := b.generate(0)
	b.generate(80 * day)
	b.says(100 * day)
	destroy(t, k, first)
	b.says(100*day+time.Hour, "INFO a key version that nobody uses any more is gone")
}

func TestAVersionThatHelpsNothingIsMadeOnce(t *testing.T) {
	b := newBench(t, newPool(t, softhsm.New(t)), true)
	b.generate(0)
	b.says(0)
	generate := b.rotation.generate
	b.rotation.generate = func(ctx context.Context, spec hsm.Spec) (wire.KeyInfo, error) {
		spec.Label = "somebody else's " + spec.Label
		return generate(ctx, spec)
	}
	b.says(91*day, "INFO made the next version")
	b.says(91*day+time.Hour, "ERROR a version was made and the next one is due all the same")
	b.says(91*day + 2*time.Hour)
	if n := b.versions(); n != 2 {
		t.Errorf("%d pairs", n)
	}
}
