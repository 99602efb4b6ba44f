package signer

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Assertion is a signed JWT and what the caller needs to know of it.
type Assertion struct {
	Compact   string // the JWS in compact form: a credential, never logged
	Kid       string
	Alg       string
	JTI       string
	Client    string
	Grant     string
	Profile   string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Assert answers one request for an assertion. A refusal by policy is a
// *policy.Refusal; the other errors wrap one of the package's sentinels.
func (s *Signer) Assert(ctx context.Context, caller caller.Caller, req policy.Request) (Assertion, error) {
	rec := &Record{Time: s.now(), Kind: KindAssertion, Caller: caller, Audience: req.Audience, Grant: req.Grant}
	assertion, err := s.assert(ctx, caller, req, rec)
	if err := s.release(ctx, rec, err); err != nil {
		return Assertion{}, err
	}
	return assertion, nil
}

// assert does all but the record, and notes in rec what is known so far.
func (s *Signer) assert(ctx context.Context, caller caller.Caller, req policy.Request, rec *Record) (Assertion, error) {
	t, err := s.admit(caller, req, rec)
	rec.Decided = s.now()
	if err != nil {
		return Assertion{}, err
	}
	defer t.leave()
	return s.issue(ctx, t)
}

// ticket is a decided, limited and built assertion: what issue signs, and the
// only thing that it signs.
type ticket struct {
	grant policy.Grant
	key   keyset.Key
	token profile.Token
	leave func() // ends the request's time in flight
}

// admit makes the ticket of a request by one policy and the keys and budgets
// that belong to it.
func (s *Signer) admit(caller caller.Caller, req policy.Request, rec *Record) (ticket, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	grant, err := s.policy.Load().Decide(caller, req)
	if err != nil {
		rec.refusal(err)
		rec.asked(req)
		return ticket{}, err
	}
	rec.grant(grant)
	leave, err := s.enter(grant.Client(), grant.InFlight())
	if err != nil {
		return ticket{}, err
	}
	t, err := s.prepare(grant)
	if err != nil {
		leave()
		return ticket{}, err
	}
	rec.Kid, rec.JTI = t.key.Kid, t.token.JTI
	t.leave = leave
	return t, nil
}

// prepare pins the key, builds header and claims, and takes the budgets. The
// budgets come last, so that none is spent on what can't be signed.
func (s *Signer) prepare(grant policy.Grant) (ticket, error) {
	if !grant.Valid() {
		return ticket{}, fmt.Errorf("signer: a grant that no policy made")
	}
	key, err := s.keys.SigningKey(grant.Key())
	if err != nil {
		return ticket{}, err
	}
	if kid := grant.KeyID(); kid != "" {
		key.Kid = kid // the receiver names keys itself
	}
	token, err := s.build(grant, key)
	if err != nil {
		return ticket{}, err
	}
	return ticket{grant: grant, key: key, token: token}, s.limit(grant.Client(), grant.Name(), grant.Key())
}

func (s *Signer) build(grant policy.Grant, key keyset.Key) (profile.Token, error) {
	p, ok := profile.Lookup(grant.Profile())
	if !ok {
		return profile.Token{}, fmt.Errorf("signer: unknown profile %q", grant.Profile())
	}
	return p.Build(profile.Input{
		Alg: key.Alg, Kid: key.Kid, Public: key.Public, Certificates: key.Certificates,
		ClientID: grant.ClientID(), Issuer: grant.Issuer(), Subject: grant.Subject(),
		Audience: grant.Audience(), Claims: grant.Claims(), Lifetime: grant.Lifetime(),
		Now: s.now(), Random: s.random,
	})
}

// issue signs what was prepared.
func (s *Signer) issue(ctx context.Context, t ticket) (Assertion, error) {
	claims, err := json.Marshal(t.token.Claims)
	if err != nil {
		return Assertion{}, fmt.Errorf("signer: claims: %w", err)
	}
	compact, err := s.compact(ctx, t.key, t.token.Header, claims)
	if err != nil {
		return Assertion{}, err
	}
	return Assertion{
		Compact: compact, Kid: t.key.Kid, Alg: t.key.Alg, JTI: t.token.JTI,
		Client: t.grant.Client(), Grant: t.grant.Name(), Profile: t.grant.Profile(),
		IssuedAt: t.token.IssuedAt, ExpiresAt: t.token.ExpiresAt,
	}, nil
}
