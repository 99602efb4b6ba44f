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

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// Keys knows which version of a key set signs now.
type Keys interface {
	// SigningKey returns the version of the set that signs now, or an error
	// that wraps keyset.ErrNoKey and says why none does.
	SigningKey(set string) (keyset.Key, error)
}

// HSM makes signatures with keys that never leave it.
type HSM interface {
	// Sign signs a digest with a key of a key set, by the conventions of
	// crypto.Signer: ECDSA as ASN.1 DER, Ed25519 over the message itself with
	// crypto.Hash(0). The options may be a jose.WithMessage. The key is the
	// SHA-256 of its SubjectPublicKeyInfo. If verify isn't nil, Sign returns only
	// a signature that verify accepted. Errors wrap ErrOverloaded or ErrTimeout
	// where that is the reason.
	Sign(ctx context.Context, set string, key [32]byte, digest []byte, opts crypto.SignerOpts, verify func(signature []byte) error) ([]byte, error)
}

// Verification says which signatures are verified before they are released.
type Verification int

const (
	VerifyAlways  Verification = iota // every signature
	VerifySampled                     // the first of every SampleEvery signatures
)

// SampleEvery is how many signatures there are per verified one under
// VerifySampled.
const SampleEvery = 16

// Options are the parts of a Signer. All but Log, Observer, Logger and Verify
// are required.
type Options struct {
	Policy   *policy.Policy
	Keys     Keys
	HSM      HSM
	Limiter  *ratelimit.Limiter
	Log      Log            // nil if decisions are not recorded
	Observer Observer       // nil for none
	Logger   logging.Logger // nil for none
	Now      func() time.Time
	Random   io.Reader // source of jti; crypto/rand.Reader outside tests
	Verify   Verification
	Traced   bool // requests carry spans (internal/tracing)
	// AuditRequired refuses requests that can't be recorded. Without it they pass,
	// and the failure is logged.
	AuditRequired bool
	// Hold returns why nothing may be signed now, or nil. It is called for each
	// signature. Nil for no such reason.
	Hold func() error
}

// Signer answers requests for assertions and raw signatures. It is safe for
// concurrent use.
type Signer struct {
	keys     Keys
	hsm      HSM
	limiter  *ratelimit.Limiter
	log      Log
	observer Observer
	logger   logging.Logger
	throttle *logging.Throttle
	now      func() time.Time
	random   io.Reader
	verify   Verification

	auditRequired bool
	hold          func() error
	traced        bool

	// gate is held for reading from a request's decision until its budgets are
	// taken, and for writing while the policy is replaced.
	gate   sync.RWMutex
	policy atomic.Pointer[policy.Policy]
	// releasing is held for reading from a request's last look at what is frozen
	// until its record is written.
	releasing sync.RWMutex
	frozen    atomic.Pointer[Frozen]
	sampled   atomic.Uint64 // signatures counted under VerifySampled
}

// New makes a Signer. It starts no goroutine.
func New(o Options) (*Signer, error) {
	if o.Policy == nil || o.Keys == nil || o.HSM == nil || o.Limiter == nil || o.Now == nil || o.Random == nil {
		return nil, errors.New("signer: an option is missing")
	}
	s := &Signer{
		keys: o.Keys, hsm: o.HSM, limiter: o.Limiter, log: o.Log, observer: o.Observer, logger: o.Logger,
		throttle: logging.NewThrottle(o.Now), now: o.Now, random: o.Random, verify: o.Verify, auditRequired: o.AuditRequired, hold: o.Hold, traced: o.Traced,
	}
	if s.log == nil {
		s.log = noLog{}
	}
	if s.observer == nil {
		s.observer = noObserver{}
	}
	if s.logger == nil {
		s.logger = logging.Discard
	}
	s.policy.Store(o.Policy)
	return s, nil
}

type noLog struct{}

func (noLog) Append(context.Context, audit.Record) error { return nil }

type noObserver struct{}

func (noObserver) Recorded(*audit.Record, time.Duration, error) {}

// Replace puts a policy in force, together with the keys and budgets that
// change replaces. Requests in flight finish under the policy that decided
// them: each has either taken its key and budgets already, or is not yet
// decided. Every request waits for change, which must be quick.
func (s *Signer) Replace(p *policy.Policy, change func()) {
	s.gate.Lock()
	defer s.gate.Unlock()
	change()
	s.policy.Store(p)
}

// CurrentPolicy is the policy that decides the next request.
func (s *Signer) CurrentPolicy() *policy.Policy { return s.policy.Load() }

// Wants returns the caller attributes that the current policy looks at.
func (s *Signer) Wants() caller.Attributes { return s.policy.Load().Wants() }

// Frozen is what operators have frozen.
type Frozen map[ipc.FreezeTarget]bool

// Freeze puts in force what is frozen from now on, and nothing else is. When it
// returns, the record of everything released before is written: a request in
// flight that is frozen now gets a *FrozenError, even if the HSM has signed.
func (s *Signer) Freeze(frozen Frozen) {
	s.releasing.Lock()
	defer s.releasing.Unlock()
	s.frozen.Store(&frozen)
}

// thawed returns a *FrozenError if what a decision is about is frozen.
func (s *Signer) thawed(d *decision) error {
	frozen := s.frozen.Load()
	if frozen == nil || len(*frozen) == 0 {
		return nil
	}
	for _, target := range [...]ipc.FreezeTarget{
		{All: true}, {Client: d.Client}, {Client: d.Client, Grant: d.Grant}, {Key: d.Key},
	} {
		if (*frozen)[target] {
			return &FrozenError{target}
		}
	}
	return nil
}

// GrantBudget names the rate budget of a grant in the Limiter.
func GrantBudget(client, grant string) string { return "grant/" + client + "/" + grant }

// KeyBudget names the rate budget that all users of a key set share, in the
// Limiter.
func KeyBudget(set string) string { return "key/" + set }

// limit takes the rate budgets of one request.
func (s *Signer) limit(ctx context.Context, d *decision, client, grant, set string) error {
	taken, err := s.limiter.Take(s.now(), 1, GrantBudget(client, grant), KeyBudget(set))
	if err == nil {
		err = taken.Share(ctx)
	}
	if err != nil {
		return fmt.Errorf("signer: %w", err)
	}
	d.taken = taken
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
