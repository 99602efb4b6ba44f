package signer_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/rate"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

// parts are what a signer under test works with: software keys in place of an
// HSM and an audit log in memory, with faults that a test chooses, and a real
// limiter.
type parts struct {
	mu       sync.Mutex
	key      keyset.Key
	private  crypto.Signer
	keyErr   error
	hsmErr   error
	corrupt  bool
	auditErr error

	limiter *ratelimit.Limiter
	records []audit.Record
	signed  int
}

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (p *parts) SigningKey(set string) (keyset.Key, error) {
	if p.keyErr != nil {
		return keyset.Key{}, p.keyErr
	}
	if set != p.key.Set {
		return keyset.Key{}, fmt.Errorf("%w: %s", keyset.ErrNoKey, set)
	}
	return p.key, nil
}

func (p *parts) Sign(_ context.Context, _ string, _ [32]byte, digest []byte, opts crypto.SignerOpts, verify func([]byte) error) ([]byte, error) {
	p.mu.Lock()
	p.signed++
	p.mu.Unlock()
	if p.hsmErr != nil {
		return nil, p.hsmErr
	}
	signature, err := p.private.Sign(rand.Reader, digest, bare(opts))
	if err != nil {
		return nil, err
	}
	if p.corrupt {
		signature[len(signature)-1] ^= 1
	}
	if verify != nil {
		if err := verify(signature); err != nil {
			return nil, err
		}
	}
	return signature, nil
}

func (p *parts) Append(_ context.Context, r audit.Record) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.records = append(p.records, r)
	return p.auditErr
}

// budgetLimit is the limit of every budget in these tests.
const budgetLimit = 100_000

// newLimiter has a budget for each grant and key set of the tests.
func newLimiter(t testing.TB) *ratelimit.Limiter {
	t.Helper()
	var budgets []ratelimit.Budget
	for _, name := range budgetNames {
		budgets = append(budgets, ratelimit.Budget{Name: name, Windows: []rate.Window{{Limit: budgetLimit, Per: time.Hour}}})
	}
	limiter, err := ratelimit.New(budgets)
	if err != nil {
		t.Fatal(err)
	}
	return limiter
}

var budgetNames = []string{
	signer.GrantBudget("payments-api", "bank"), signer.GrantBudget("payments-api", "tls"),
	signer.KeyBudget("payments"), signer.KeyBudget("other"),
	signer.GrantBudget("c", "bank"), signer.GrantBudget("c", "bearer"), signer.GrantBudget("c", "app"), signer.GrantBudget("c", "proof"),
}

// spent names the budgets of which something was taken.
func (p *parts) spent() (names []string) {
	for _, name := range budgetNames {
		if p.limiter.Left(epoch, name)[0].Remaining < budgetLimit {
			names = append(names, name)
		}
	}
	return names
}

// exhaust spends a budget.
func (p *parts) exhaust(name string) {
	if _, err := p.limiter.Take(epoch, budgetLimit, name); err != nil {
		panic(err)
	}
}

// inFlight reports whether a request of the client holds a place.
func (p *parts) inFlight() bool {
	leave, err := p.limiter.Enter("payments-api", 1)
	if err == nil {
		leave()
	}
	return err != nil
}

func (p *parts) record(t testing.TB) audit.Record {
	t.Helper()
	if len(p.records) != 1 {
		t.Fatalf("%d records, want 1", len(p.records))
	}
	return p.records[0]
}

var privateKeys = sync.OnceValue(func() map[string]crypto.Signer {
	must := func(key crypto.Signer, err error) crypto.Signer {
		if err != nil {
			panic(err)
		}
		return key
	}
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	return map[string]crypto.Signer{
		"ES256": must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
		"ES384": must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)),
		"ES512": must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)),
		"RS256": rsaKey, "RS384": rsaKey, "RS512": rsaKey,
		"PS256": rsaKey, "PS384": rsaKey, "PS512": rsaKey,
		"EdDSA": edKey,
	}
})

// newSigner makes a signer over doubles: client "payments-api" for uid 1000 has
// grant "bank" for assertions and grant "tls" for raw signatures.
func newSigner(t testing.TB, alg string, change ...func(*signer.Options)) (*signer.Signer, *parts) {
	t.Helper()
	private := privateKeys()[alg]
	kid, err := jwks.Thumbprint(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	p := &parts{private: private, limiter: newLimiter(t)}
	p.key = keyset.Key{Set: "payments", Key: jwks.Key{Kid: kid, Alg: alg, Public: private.Public()}}
	o := signer.Options{
		Policy: testPolicy(t), Keys: p, HSM: p, Limiter: p.limiter, Log: p, AuditRequired: true,
		Now: func() time.Time { return epoch }, Random: rand.Reader,
	}
	for _, f := range change {
		f(&o)
	}
	s, err := signer.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s, p
}

func testPolicy(t testing.TB) *policy.Policy { return policyOn(t, "payments") }

// otherSet is the same policy with another key set.
func otherSet(t testing.TB) *policy.Policy { return policyOn(t, "other") }

func policyOn(t testing.TB, set string) *policy.Policy {
	t.Helper()
	uid := uint32(1000)
	p, err := policy.New([]policy.Client{{
		Name: "payments-api", Match: policy.Match{UID: &uid}, InFlight: 8,
		Grants: []policy.Rule{
			{
				Name: "bank", Key: set, Profile: "private_key_jwt", ClientID: "9f3c0c",
				Audiences:       []string{"https://as.bank.example"},
				DefaultLifetime: time.Minute, MaxLifetime: 2 * time.Minute,
				Allow:    map[string]policy.ClaimRule{"scope": {Values: []any{"read", "write"}, Words: true}, "secret": {Any: true}},
				Loggable: []string{"scope"},
			},
			{Name: "tls", Key: set, Raw: &policy.RawRule{Hashes: []string{"SHA-256", "none"}, Paddings: nil}},
		},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var (
	known   = caller.Caller{UID: 1000, GID: 1000, PID: 42}
	unknown = caller.Caller{UID: 1001, GID: 1001, PID: 43}

	errInjected = errors.New("injected")
)

// bare are the options that software keys take.
func bare(opts crypto.SignerOpts) crypto.SignerOpts {
	if with, ok := opts.(jose.WithMessage); ok {
		return with.SignerOpts
	}
	return opts
}
