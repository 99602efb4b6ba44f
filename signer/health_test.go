package signer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// vault is an HSM of software keys that fail on command, since no real one
// makes a key unfit and fit again.
type vault struct {
	mu     sync.Mutex
	keys   map[[32]byte]*ecdsa.PrivateKey
	fail   map[[32]byte]error
	signed map[[32]byte]int
}

func (v *vault) Sign(_ context.Context, _ string, ref [32]byte, digest []byte, opts crypto.SignerOpts, verify func([]byte) error) ([]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.signed[ref]++
	if err := v.fail[ref]; err != nil {
		return nil, err
	}
	signature, err := v.keys[ref].Sign(rand.Reader, digest, bare(opts))
	if err == nil {
		err = verify(signature)
	}
	return signature, err
}

func (v *vault) pair(t *testing.T, label string) keyset.Pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	ref := sha256.Sum256(der)
	v.keys[ref] = key
	return keyset.Pair{Label: label, Ref: ref, Public: key.Public()}
}

// patient is a Health over a vault, at a clock that the test sets.
type patient struct {
	*signer.Health
	*vault
	*logtest.Journal
	keys  *keyset.Active
	pairs []keyset.Pair
	now   time.Time
}

// newPatient has the sets "a", with one version, and "b", with one that signs
// and one that will in a day. Some of these three are unfit.
func newPatient(t *testing.T, unfit ...int) *patient {
	t.Helper()
	p := &patient{
		vault:   &vault{keys: map[[32]byte]*ecdsa.PrivateKey{}, fail: map[[32]byte]error{}, signed: map[[32]byte]int{}},
		Journal: &logtest.Journal{}, keys: &keyset.Active{}, now: epoch,
	}
	for _, label := range []string{keyset.Label("a", epoch), keyset.Label("b", epoch.Add(-time.Hour)), keyset.Label("b", epoch)} {
		p.pairs = append(p.pairs, p.pair(t, label))
	}
	for _, i := range unfit {
		p.fail[p.pairs[i].Ref] = fmt.Errorf("%w: bad halves", signer.ErrUnfit)
	}
	p.Health = signer.NewHealth(p.vault, p.keys, func() time.Time { return p.now }, p.Journal)
	p.check()
	return p
}

// check does what the daemon does: it leaves out the keys that fail.
func (p *patient) check() {
	rotation := keyset.Rotation{PublishBefore: 24 * time.Hour, KeepAfter: time.Hour}
	sets := []keyset.Set{{Name: "a", Alg: "ES256", Rotation: rotation}, {Name: "b", Alg: "ES256", Rotation: rotation}}
	for changed := true; changed; changed = p.Check(context.Background(), []string{"a", "b"}) {
		held := keyset.Holdings{Pairs: p.pairs, Unproved: p.Refused()}
		p.keys.Replace(keyset.New(sets, held, p.keys.Ring(), func() time.Time { return p.now }))
	}
}

func (p *patient) degraded() string {
	var text []string
	for _, d := range p.Ready().Degraded {
		text = append(text, d.Key+" "+d.Reason)
	}
	return strings.Join(text, ", ")
}

func TestHealthOfEachKeySet(t *testing.T) {
	p := newPatient(t)
	if ready := p.Ready(); !ready.Ready || !p.Healthy() || p.degraded() != "" {
		t.Fatalf("%+v", ready)
	}
	p.fail[p.pairs[0].Ref] = errors.New("no worker")
	p.check()
	if ready := p.Ready(); !ready.Ready || p.Healthy() || p.degraded() != "a hsm-unavailable" {
		t.Errorf("%+v", ready)
	}
	p.fail[p.pairs[1].Ref] = errors.New("no worker")
	p.check()
	if ready := p.Ready(); ready.Ready || ready.Reason != ipc.ReasonHSMUnavailable || p.degraded() != "a hsm-unavailable, b hsm-unavailable" {
		t.Errorf("%+v", ready)
	}
	clear(p.fail)
	p.check()
	if ready := p.Ready(); !ready.Ready || ready.Reason != "" || p.degraded() != "" {
		t.Errorf("%+v", ready)
	}
	log := strings.Join(p.Take(), "\n")
	if strings.Count(log, "a key set can't sign") != 2 || strings.Count(log, "a key set can sign again") != 2 {
		t.Errorf("the log says\n%s", log)
	}
}

// A version is proved once before it takes over, and left out if it fails.
func TestHealthProvesTheNextVersion(t *testing.T) {
	p := newPatient(t)
	p.check()
	if n := p.signed[p.pairs[2].Ref]; n != 1 {
		t.Errorf("%d signatures with the next version, want one", n)
	}
	p = newPatient(t, 2)
	p.now = p.now.Add(25 * time.Hour)
	if key, err := p.keys.SigningKey("b"); err != nil || key.Ref != p.pairs[1].Ref || !p.Healthy() {
		t.Errorf("%v signs, %v", key.Kid, err)
	}
}

// A key that fails its proof is left alone until its time has come, or until a
// reload.
func TestHealthRefusesAKeyThatFailsItsProof(t *testing.T) {
	for name, wait := range map[string]func(*patient){
		"later":        func(p *patient) { p.now = p.now.Add(10 * time.Minute) },
		"after reload": func(p *patient) { p.Retry() },
	} {
		p := newPatient(t, 0)
		if p.degraded() != "a key-not-available" || !p.Ready().Ready {
			t.Errorf("%+v", p.Ready())
		}
		wait(p)
		p.check()
		tries := p.signed[p.pairs[0].Ref]
		p.check()
		if n := p.signed[p.pairs[0].Ref]; tries != 2 || n != tries || p.Healthy() {
			t.Errorf("%s: tried %d times, then %d times", name, tries, n)
		}
		clear(p.fail)
		wait(p)
		p.check()
		if !p.Healthy() {
			t.Errorf("%s: %+v", name, p.Ready())
		}
	}
}

// A key that has signed keeps its place: its token is at fault.
func TestHealthKeepsAKeyThatHasSigned(t *testing.T) {
	p := newPatient(t)
	p.fail[p.pairs[1].Ref] = fmt.Errorf("%w: bad signatures", signer.ErrUnfit)
	p.check()
	if key, err := p.keys.SigningKey("b"); err != nil || key.Ref != p.pairs[1].Ref || p.degraded() != "b key-not-available" {
		t.Errorf("%v signs, %v, %+v", key.Kid, err, p.Ready())
	}
	clear(p.fail)
	p.check()
	if !p.Healthy() {
		t.Errorf("%+v", p.Ready())
	}
}

// A check that is cut short proves nothing.
func TestHealthCutShort(t *testing.T) {
	p := newPatient(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	p.fail[p.pairs[0].Ref] = context.Canceled
	p.Check(ctx, []string{"a", "b"})
	if !p.Healthy() {
		t.Errorf("%+v", p.Ready())
	}
}
