package authserver

import (
	"context"

	josev3 "github.com/go-jose/go-jose/v3"
	"github.com/ory/fosite"
	"github.com/ory/fosite/storage"
)

// store is Fosite's memory store plus the JWKS URLs of trusted issuers.
type store struct {
	*storage.MemoryStore
	fetcher fosite.JWKSFetcherStrategy
	issuers map[string]string // issuer to the URL of its JWKS
}

// GetPublicKeys implements rfc7523.RFC7523KeyStorage.
func (s *store) GetPublicKeys(ctx context.Context, issuer, _ string) (*josev3.JSONWebKeySet, error) {
	location, trusted := s.issuers[issuer]
	if !trusted {
		return nil, fosite.ErrNotFound
	}
	return s.fetcher.Resolve(ctx, location, false)
}

// GetPublicKey implements rfc7523.RFC7523KeyStorage.
func (s *store) GetPublicKey(ctx context.Context, issuer, subject, kid string) (*josev3.JSONWebKey, error) {
	set, err := s.GetPublicKeys(ctx, issuer, subject)
	if err != nil {
		return nil, err
	}
	keys := set.Key(kid)
	if len(keys) != 1 {
		return nil, fosite.ErrNotFound
	}
	return &keys[0], nil
}

// GetPublicKeyScopes implements rfc7523.RFC7523KeyStorage.
func (s *store) GetPublicKeyScopes(context.Context, string, string, string) ([]string, error) {
	return []string{"read", "write"}, nil
}
