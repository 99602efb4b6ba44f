package signer

import (
	"context"
	"encoding/base64"
	"errors"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
	"github.com/assertd/assertd/signer/serviceaccount"
)

// KubernetesRequest asks for the signature of a service account's token.
type KubernetesRequest struct {
	Key    string // key set of the socket that the request came in on
	Limits serviceaccount.Limits
	Claims string // as they are signed, in base64url
}

// KubernetesToken is what makes a service account's token of its claims: its
// first and its third part, both in base64url.
type KubernetesToken struct{ Header, Signature string }

// SignKubernetes answers one request of kube-apiserver. It signs the claims as
// they came, and always verifies the signature, since kube-apiserver does not.
// Errors are those of Assert, and *serviceaccount.Error.
func (s *Signer) SignKubernetes(ctx context.Context, who caller.Caller, req KubernetesRequest) (KubernetesToken, error) {
	d := s.newDecision(ctx, audit.KindKubernetes, who)
	d.Key = req.Key
	token, err := s.signKubernetes(ctx, req, d)
	if err := s.release(ctx, d, err); err != nil {
		return KubernetesToken{}, err
	}
	return token, nil
}

func (s *Signer) signKubernetes(ctx context.Context, req KubernetesRequest, d *decision) (KubernetesToken, error) {
	key, leave, err := s.admitKubernetes(ctx, req, d)
	d.decided = s.now()
	if err != nil {
		return KubernetesToken{}, err
	}
	defer leave()
	protected, err := protectedHeader(key.Alg, key.Kid, map[string]any{"typ": "JWT"})
	if err != nil {
		return KubernetesToken{}, err
	}
	header := base64.RawURLEncoding.EncodeToString(protected)
	signature, err := s.signature(ctx, key, []byte(header+"."+req.Claims), true)
	if err != nil {
		return KubernetesToken{}, err
	}
	return KubernetesToken{Header: header, Signature: base64.RawURLEncoding.EncodeToString(signature)}, nil
}

// admitKubernetes decides and limits a request, and pins its key.
func (s *Signer) admitKubernetes(ctx context.Context, req KubernetesRequest, d *decision) (key keyset.Key, leave func(), err error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	grant, err := s.decideKubernetes(req, d)
	if err != nil {
		d.refused(err)
		return keyset.Key{}, nil, err
	}
	d.Client, d.Grant = grant.Client(), grant.Name()
	if err := s.thawed(d); err != nil {
		return keyset.Key{}, nil, err
	}
	if leave, err = s.enter(grant.Client(), grant.InFlight()); err != nil {
		return keyset.Key{}, nil, err
	}
	if key, err = s.prepareKubernetes(ctx, grant, d); err != nil {
		leave()
		return keyset.Key{}, nil, err
	}
	return key, leave, nil
}

// decideKubernetes checks the claims against the socket's limits and policy. A
// caller that no client matches learns nothing about either.
func (s *Signer) decideKubernetes(req KubernetesRequest, d *decision) (policy.KubernetesGrant, error) {
	current := s.policy.Load()
	client, err := current.KubernetesClient(d.Caller, req.Key)
	if err != nil {
		return policy.KubernetesGrant{}, err
	}
	d.Client = client
	claims, err := serviceaccount.Parse(req.Claims)
	if err != nil {
		return policy.KubernetesGrant{}, err
	}
	d.Subject, d.Audiences, d.JTI = claims.Subject(), claims.Audiences, claims.ID
	if err := req.Limits.Check(claims, s.now()); err != nil {
		return policy.KubernetesGrant{}, err
	}
	d.LifetimeSeconds = claims.ExpiresAt - claims.IssuedAt
	return current.DecideKubernetes(d.Caller, policy.KubernetesRequest{
		Key: req.Key, Namespace: claims.Namespace, ServiceAccount: claims.Name, Audiences: claims.Audiences,
	})
}

// prepareKubernetes pins the key that signs now, and takes the budgets.
func (s *Signer) prepareKubernetes(ctx context.Context, grant policy.KubernetesGrant, d *decision) (keyset.Key, error) {
	if !grant.Valid() {
		return keyset.Key{}, errors.New("signer: invalid (zero) grant")
	}
	key, err := s.keys.SigningKey(grant.Key())
	if err != nil {
		return keyset.Key{}, err
	}
	d.Kid = key.Kid
	return key, s.limit(ctx, d, grant.Client(), grant.Name(), grant.Key())
}
