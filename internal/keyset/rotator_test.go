package keyset_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/pool"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

const day = 24 * time.Hour

var start = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

// env is a Rotator on a real token through a real worker, at a clock that the
// test sets.
type env struct {
	*keyset.Rotator
	*logtest.Journal
	t     *testing.T
	pool  *pool.Pool
	clock time.Time
	sets  []keyset.Set
	keys  *keyset.Active
}

func newPool(t *testing.T, k *softhsm.Token) *pool.Pool {
	t.Helper()
	pool, err := pool.New(pool.Config{
		Command: workertest.Command(), Workers: 1,
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
	go func() { ended <- pool.Run(ctx) }()
	t.Cleanup(func() { stop(); <-ended })
	if err := pool.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return pool
}

// newEnv has one key set, "payments", that rotates every 90 days.
func newEnv(t *testing.T, p *pool.Pool, auto bool, published ...jwks.Key) *env {
	e := &env{
		t: t, Journal: &logtest.Journal{}, pool: p, clock: start, keys: &keyset.Active{},
		sets: []keyset.Set{{Name: "payments", Alg: "ES256", Auto: auto, Rotation: keyset.Rotation{
			Every: 90 * day, PublishBefore: day, KeepAfter: day, AssertionLife: time.Minute,
		}}},
	}
	now := func() time.Time { return e.clock }
	e.Rotator = keyset.NewRotator(e.keys, &poolTokens{e}, published, now, e.Journal)
	e.SetDelay(func(time.Duration) time.Duration { return 0 })
	e.setRing()
	return e
}

func (e *env) setRing() {
	var pairs []keyset.Pair
	for _, key := range e.pool.Inventory() {
		pairs = append(pairs, keyset.Pair{Label: key.Label, ID: key.ID, Ref: key.Ref, Public: key.Public, Problem: key.Problem})
	}
	e.keys.Replace(keyset.New(e.sets, keyset.Holdings{Pairs: pairs}, e.keys.Ring(), func() time.Time { return e.clock }))
}

// poolTokens is the pool as the Rotator's Tokens.
type poolTokens struct{ env *env }

func (p *poolTokens) Refresh(ctx context.Context) error {
	if err := p.env.pool.Refresh(ctx); err != nil {
		return err
	}
	p.env.setRing()
	return nil
}

func (p *poolTokens) Generate(ctx context.Context, set keyset.Set, label string) error {
	spec := hsm.Spec{Label: label, Type: hsm.P256}
	if set.Bits > 0 {
		spec.Type = hsm.KeyType(fmt.Sprintf("RSA-%d", set.Bits))
	}
	_, err := p.env.pool.Generate(ctx, spec)
	return err
}

// mislabeled makes keys under labels that belong to no key set.
type mislabeled struct{ *poolTokens }

func (m mislabeled) Generate(ctx context.Context, set keyset.Set, label string) error {
	return m.poolTokens.Generate(ctx, set, "somebody else's "+label)
}

// at polls at a time after the start, and returns what was logged.
func (b *env) at(after time.Duration) []string {
	b.t.Helper()
	b.clock = start.Add(after)
	b.Poll(b.t.Context())
	return b.Take()
}

func (b *env) says(after time.Duration, want ...string) {
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

func (b *env) generate(after time.Duration) string {
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
func (b *env) versions() int {
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
	b := newEnv(t, newPool(t, k), true)
	b.says(0) // no version at all is for people to look at
	b.generate(0)
	b.says(89 * day)
	b.says(90*day+time.Second, "INFO generated the next version")
	b.says(90*day + time.Minute)
	if n := b.versions(); n != 2 {
		t.Fatalf("%d versions", n)
	}
	plan := b.Plans()[0]
	if !plan.Auto || plan.Late || plan.DueAt.Before(start.Add(180*day)) || len(keyset.PublishedVersions(plan)) != 2 {
		t.Errorf("plan %+v", plan)
	}
	// The machine was off for a year: one version is enough.
	b.says(545*day, "INFO generated the next version")
	b.says(545*day + time.Hour)
	if n := b.versions(); n != 3 {
		t.Errorf("%d versions", n)
	}
}

func TestDaemonsOfOneTokenMakeOneVersion(t *testing.T) {
	pool := newPool(t, softhsm.New(t))
	first, second := newEnv(t, pool, true), newEnv(t, pool, true)
	first.generate(0)
	first.says(0)
	second.says(0)
	// The second waits for its moment while the first makes the version.
	second.SetDelay(func(time.Duration) time.Duration {
		first.says(90*day+time.Second, "INFO generated the next version")
		return 0
	})
	second.says(90*day + time.Second)
	if n := first.versions(); n != 2 {
		t.Errorf("%d versions, want 2", n)
	}
}

func TestReloadDuringTheDelayCounts(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), true)
	b.sets[0].Alg, b.sets[0].Bits = "RS256", 2048
	label := keyset.Label("payments", start)
	if _, err := b.pool.Generate(t.Context(), hsm.Spec{Label: label, Type: hsm.RSA2048}); err != nil {
		t.Fatal(err)
	}
	b.says(0)
	b.SetDelay(func(time.Duration) time.Duration {
		b.sets[0].Bits = 3072
		return 0
	})
	b.says(90*day+time.Second, "bits3072")
}

func TestPeopleAreWarnedAhead(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), false)
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

// held is what the log says of the version before one that has vanished.
const held = "WARN by the schedule a retired key version would sign again"

func TestAVanishedKeyIsAnAlarmAndNoReasonToGenerate(t *testing.T) {
	k := softhsm.New(t)
	b := newEnv(t, newPool(t, k), true)
	b.generate(0)
	second := b.generate(90 * day)
	b.says(100 * day)
	destroy(t, k, second)
	lines := b.at(100*day + time.Minute)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "ERROR a published key version has vanished") || !strings.Contains(lines[0], second) {
		t.Errorf("it said %q", lines)
	}
	if plan := b.Plans()[0]; !plan.Late || !slices.Equal(plan.Lost, []string{second}) {
		t.Errorf("late %v, lost %q", plan.Late, plan.Lost)
	}
	b.says(100*day + time.Hour)
	b.says(102*day, "ERROR a published key version has vanished", held)
	if n := b.versions(); n != 1 {
		t.Fatalf("%d versions: one was made in place of the lost one", n)
	}
	// A person has looked, and says that the lost one must not come back.
	b.sets[0].Rotation.Revoke = []string{second}
	b.says(102*day+time.Minute, "INFO generated the next version")
}

// A daemon that was away can't remember. What it published last can.
func TestAKeyThatVanishedWhileNoDaemonRanIsAnAlarm(t *testing.T) {
	k := softhsm.New(t)
	pool := newPool(t, k)
	before := newEnv(t, pool, true)
	before.generate(0)
	second := before.generate(90 * day)
	before.says(100 * day)
	file := filepath.Join(t.TempDir(), "jwks.json")
	keys, _ := before.keys.Ring().Published("payments")
	if set, err := jwks.NewSet(keys); err != nil || set.Len() != 1 {
		t.Fatal(keys, err)
	} else if err := os.WriteFile(file, set.JSON(), 0o600); err != nil {
		t.Fatal(err)
	}

	// Nothing is wrong after a restart where nothing has vanished.
	restarted := func() *env {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		set, err := jwks.ParseSet(text)
		if err != nil {
			t.Fatal(err)
		}
		return newEnv(t, pool, true, set.Keys()...)
	}
	restarted().says(100 * day)

	destroy(t, k, second)
	b := restarted()
	b.says(101*day, "ERROR a published key version has vanished", held)
	b.says(101*day + time.Minute)
	if n := b.versions(); n != 1 {
		t.Fatalf("%d versions: one was made in place of the lost one", n)
	}
	b.sets[0].Rotation.Revoke = []string{second}
	b.says(101*day+time.Hour, "INFO generated the next version")

	// If it could belong to several sets, all of them stop generating.
	b = restarted()
	b.sets = append(b.sets, b.sets[0])
	b.sets[1].Name = "other"
	b.says(101*day+time.Hour, "WARN a key in the jwks file is on no token", "ERROR a published key", "ERROR a published key")
}

func TestNothingIsMadeWhereTheTokenCannotBeAsked(t *testing.T) {
	k := softhsm.New(t)
	b := newEnv(t, newPool(t, k), true)
	b.generate(0)
	b.says(0)
	k.Lose()
	lines := b.at(91 * day)
	if len(lines) != 1 || !strings.HasPrefix(lines[0], "ERROR could not generate the next version of a key set") {
		t.Errorf("it said %q", lines)
	}
	if plan := b.Plans()[0]; len(plan.Lost) > 0 || plan.Signing == "" {
		t.Errorf("lost %q", plan.Lost)
	}
	k.Restore()
	for deadline := time.Now().Add(20 * time.Second); b.pool.Refresh(t.Context()) != nil; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the token did not come back")
		}
	}
	b.says(91*day+time.Hour, "INFO generated the next version")
}

func TestARefusedKeyIsToldAgain(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), true)
	b.generate(0)
	b.says(0)
	if _, err := b.pool.Generate(t.Context(), hsm.Spec{Label: "payments/tomorrow", Type: hsm.P256}); err != nil {
		t.Fatal(err)
	}
	b.says(time.Hour, "WARN a key pair is not used; its key set signs with another version")
	b.says(2 * time.Hour)
	b.says(25*time.Hour, "payments/tomorrow")
	if plan := b.Plans()[0]; plan.Signing == "" || len(plan.Lost) > 0 {
		t.Errorf("plan %+v", plan)
	}
}

func TestRetiredKeysMayGo(t *testing.T) {
	k := softhsm.New(t)
	b := newEnv(t, newPool(t, k), false)
	first := b.generate(0)
	b.generate(80 * day)
	b.says(100 * day)
	destroy(t, k, first)
	b.says(100*day+time.Hour, "INFO a key version that is no longer in use is gone")
}

func TestAVersionThatHelpsNothingIsMadeOnce(t *testing.T) {
	b := newEnv(t, newPool(t, softhsm.New(t)), true)
	b.generate(0)
	b.says(0)
	b.SetTokens(mislabeled{&poolTokens{b}})
	b.says(91*day, "INFO generated the next version")
	b.says(91*day+time.Hour, "ERROR a version was made but the next one is still due")
	b.says(91*day + 2*time.Hour)
	if n := b.versions(); n != 2 {
		t.Errorf("%d pairs", n)
	}
}
