package signer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/profile"
)

// Assert answers one request for an assertion. A refusal by policy is a
// *policy.Refusal, a spent budget a *ratelimit.Exceeded, and what is frozen a
// *FrozenError; the other errors wrap one of the package's sentinels or
// keyset.ErrNoKey.
func (s *Signer) Assert(ctx context.Context, who caller.Caller, req policy.Request) (ipc.AssertionResponse, error) {
	d := s.newDecision(ctx, audit.KindAssertion, who)
	d.Audience, d.Grant = req.Audience, req.Grant
	assertion, err := s.assert(ctx, req, d)
	if err := s.release(ctx, d, err); err != nil {
		return ipc.AssertionResponse{}, err
	}
	return assertion, nil
}

// assert does everything but the record, which it fills in.
func (s *Signer) assert(ctx context.Context, req policy.Request, d *decision) (ipc.AssertionResponse, error) {
	t, err := s.admit(ctx, req, d)
	d.decided = s.now()
	if err != nil {
		return ipc.AssertionResponse{}, err
	}
	defer t.leave()
	return s.issue(ctx, t)
}

// ticket is a decided, limited and built assertion, the only thing that issue
// signs.
type ticket struct {
	grant   policy.Grant
	profile *profile.Profile
	key     keyset.Key
	token   profile.Token
	leave   func() // ends the request's time in flight
}

// admit makes the ticket of a request by one policy and the keys and budgets
// that belong to it.
func (s *Signer) admit(ctx context.Context, req policy.Request, d *decision) (ticket, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	grant, err := s.policy.Load().Decide(d.Caller, req)
	if err != nil {
		d.refused(err)
		d.requested(req)
		return ticket{}, err
	}
	claims := grant.Claims()
	d.granted(grant, claims)
	if err := s.thawed(d); err != nil {
		return ticket{}, err
	}
	leave, err := s.enter(grant.Client(), grant.InFlight())
	if err != nil {
		return ticket{}, err
	}
	t, err := s.prepare(ctx, grant, claims, d)
	if err != nil {
		leave()
		return ticket{}, err
	}
	d.Kid, d.JTI = t.key.Kid, t.token.JTI
	t.leave = leave
	return t, nil
}

// prepare pins the key, builds header and claims, and takes the budgets. The
// budgets come last, so that none is spent on what can't be signed.
func (s *Signer) prepare(ctx context.Context, grant policy.Grant, claims map[string]any, d *decision) (ticket, error) {
	if !grant.Valid() {
		return ticket{}, errors.New("signer: invalid (zero) grant")
	}
	key, err := s.keys.SigningKey(grant.Key())
	if err != nil {
		return ticket{}, err
	}
	if kid := grant.KeyID(); kid != "" {
		key.Kid = kid // the receiver names keys itself
	}
	p, ok := profile.Lookup(grant.Profile())
	if !ok {
		return ticket{}, fmt.Errorf("signer: unknown profile %q", grant.Profile())
	}
	token, err := s.build(p, grant, claims, key)
	if err != nil {
		return ticket{}, err
	}
	return ticket{grant: grant, profile: p, key: key, token: token}, s.limit(ctx, d, grant.Client(), grant.Name(), grant.Key())
}

func (s *Signer) build(p *profile.Profile, grant policy.Grant, claims map[string]any, key keyset.Key) (profile.Token, error) {
	return p.Build(profile.Input{
		Alg: key.Alg, Kid: key.Kid, Public: key.Public, Certificates: key.Certificates,
		ClientID: grant.ClientID(), Issuer: grant.Issuer(), Subject: grant.Subject(),
		Audience: grant.Audience(), Claims: claims, Lifetime: grant.Lifetime(),
		MaxLifetime: grant.MaxLifetime(), BackDate: grant.BackDate(), NotBefore: grant.NotBefore(),
		Now: s.now(), Random: s.random,
	})
}

// issue signs a ticket.
func (s *Signer) issue(ctx context.Context, t ticket) (ipc.AssertionResponse, error) {
	claims, err := json.Marshal(t.token.Claims)
	if err != nil {
		return ipc.AssertionResponse{}, fmt.Errorf("signer: claims: %w", err)
	}
	compact, err := s.compact(ctx, t.key, t.profile.HeaderKid(t.key.Kid), t.token.Header, claims)
	if err != nil {
		return ipc.AssertionResponse{}, err
	}
	return ipc.AssertionResponse{
		Assertion: compact, AssertionType: t.profile.AssertionType, Send: t.profile.Send,
		Kid: t.key.Kid, Alg: t.key.Alg, JTI: t.token.JTI, Grant: t.grant.Name(),
		IssuedAt: t.token.IssuedAt.Unix(), ExpiresAt: t.token.ExpiresAt.Unix(),
	}, nil
}
