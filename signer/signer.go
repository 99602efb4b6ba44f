package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/signer/policy"
)

// Keys knows which version of a key set signs at this moment.
type Keys interface {
	// SigningKey returns the version of the set that signs now, or an error
	// that wraps keyset.ErrNoKey and says why none does.
	SigningKey(set string) (keyset.Key, error)
}

// HSM makes signatures with keys that never leave it.
type HSM interface {
	// Sign signs a digest with the key's private half, by the conventions of
	// crypto.Signer: ECDSA as ASN.1 DER, Ed25519 over the message itself with
	// crypto.Hash(0). Where verify is not nil, Sign returns only a signature
	// that verify accepted.
	Sign(ctx context.Context, key keyset.Key, digest []byte, opts crypto.SignerOpts, verify func(signature []byte) error) ([]byte, error)
}

// Limiter keeps the rate budgets and the in-flight caps.
type Limiter interface {
	// Enter counts one more request in flight for the client, or refuses.
	Enter(client string, limit int) (leave func(), err error)
	// Take takes n from every named budget, or nothing from any. Where waiting
	// helps, the error wraps ErrRateLimited; any other is a fault of the daemon.
	Take(now time.Time, n int, budgets ...string) error
}

// Recorder writes the audit record of a decision. It returns nil only once
// the record is as safe as its configuration promises.
type Recorder interface {
	Record(ctx context.Context, record Record) error
}

// The kinds of refusal and failure that are the signer's own. Refusals by
// policy are *policy.Refusal. Each may wrap a detail.
var (
	ErrRateLimited = errors.New("rate limit reached")
	ErrInFlight    = errors.New("too many requests in flight")
	ErrHSM         = errors.New("the HSM did not sign")
	ErrAudit       = errors.New("the audit record could not be written")
	ErrDigest      = errors.New("the digest does not fit the hash")
)

// Verification says which signatures are verified before they are released.
type Verification int

const (
	VerifyAlways  Verification = iota // every signature
	VerifySampled                     // the first of every SampleEvery signatures
)

// SampleEvery is the distance between two verified signatures under
// VerifySampled.
const SampleEvery = 16

// Options are the parts a Signer is made of. All but Verify are required.
type Options struct {
	Policy   *policy.Policy
	Keys     Keys
	HSM      HSM
	Limiter  Limiter
	Recorder Recorder
	Now      func() time.Time
	Random   io.Reader // source of jti; crypto/rand.Reader outside tests
	Verify   Verification
}

// Signer answers requests for assertions and raw signatures. It is safe for
// concurrent use.
type Signer struct {
	keys     Keys
	hsm      HSM
	limiter  Limiter
	recorder Recorder
	now      func() time.Time
	random   io.Reader
	verify   Verification

	// gate is held for reading from a request's decision until its budgets are
	// taken, and for writing while what it was decided by is replaced.
	gate     sync.RWMutex
	policy   atomic.Pointer[policy.Policy]
	unproven atomic.Uint64 // signatures counted under VerifySampled
}

// New makes a Signer. It starts nothing.
func New(o Options) (*Signer, error) {
	if o.Policy == nil || o.Keys == nil || o.HSM == nil || o.Limiter == nil || o.Recorder == nil || o.Now == nil || o.Random == nil {
		return nil, fmt.Errorf("signer: an option is missing")
	}
	s := &Signer{
		keys: o.Keys, hsm: o.HSM, limiter: o.Limiter, recorder: o.Recorder,
		now: o.Now, random: o.Random, verify: o.Verify,
	}
	s.policy.Store(o.Policy)
	return s, nil
}

// Replace puts a policy in force, and with it what change replaces elsewhere:
// keys and budgets. Requests in flight finish under what decided them: each is
// either past its keys and budgets, or has not been decided yet. Where change
// fails, the policy stays. It must not wait for anything.
func (s *Signer) Replace(p *policy.Policy, change func() error) error {
	s.gate.Lock()
	defer s.gate.Unlock()
	if err := change(); err != nil {
		return err
	}
	s.policy.Store(p)
	return nil
}

// CurrentPolicy is the policy that decides the next request.
func (s *Signer) CurrentPolicy() *policy.Policy { return s.policy.Load() }

// GrantBudget names the rate budget of a grant, KeyBudget that of a key set,
// for whoever configures the Limiter.
func GrantBudget(client, grant string) string { return "grant/" + client + "/" + grant }

// KeyBudget names the rate budget that all users of a key set share.
func KeyBudget(set string) string { return "key/" + set }

// limit takes the rate budgets of one request.
func (s *Signer) limit(client, grant, set string) error {
	if err := s.limiter.Take(s.now(), 1, GrantBudget(client, grant), KeyBudget(set)); err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	return nil
}

// enter counts a request in flight.
func (s *Signer) enter(client string, limit int) (leave func(), err error) {
	leave, err = s.limiter.Enter(client, limit)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrInFlight, err)
	}
	return leave, nil
}
