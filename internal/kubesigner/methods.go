package kubesigner

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
	externaljwt "k8s.io/externaljwt/apis/v1"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/serviceaccount"
)

// Sign implements externaljwt.ExternalJWTSignerServer.
func (s *Server) Sign(ctx context.Context, req *externaljwt.SignJWTRequest) (*externaljwt.SignJWTResponse, error) {
	token, err := s.opts.Signer.SignKubernetes(ctx, connOf(ctx).identify(), signer.KubernetesRequest{
		Key: s.opts.Issuer.Set, Claims: req.GetClaims(),
		Limits: serviceaccount.Limits{Issuer: s.opts.Issuer.URL, MaxExpiration: s.opts.MaxExpiration},
	})
	if err != nil {
		return nil, signer.ProblemOf(err)
	}
	return &externaljwt.SignJWTResponse{Header: token.Header, Signature: token.Signature}, nil
}

// Metadata implements externaljwt.ExternalJWTSignerServer.
func (s *Server) Metadata(ctx context.Context, _ *externaljwt.MetadataRequest) (*externaljwt.MetadataResponse, error) {
	if err := s.authorize(ctx); err != nil {
		return nil, err
	}
	return &externaljwt.MetadataResponse{MaxTokenExpirationSeconds: int64(s.opts.MaxExpiration / time.Second)}, nil
}

// FetchKeys implements externaljwt.ExternalJWTSignerServer. It answers from
// memory: anyone who sends the API server a forged token can make it call.
func (s *Server) FetchKeys(ctx context.Context, _ *externaljwt.FetchKeysRequest) (*externaljwt.FetchKeysResponse, error) {
	if err := s.authorize(ctx); err != nil {
		return nil, err
	}
	ring := s.opts.Keys.Ring()
	set, _, err := ring.IssuerKeys(s.opts.Issuer)
	if err != nil {
		return nil, signer.ProblemOf(err)
	}
	response := &externaljwt.FetchKeysResponse{RefreshHintSeconds: int64(s.opts.Refresh / time.Second)}
	for _, key := range set.Keys() {
		der, err := jose.MarshalSPKI(key.Public)
		if err != nil {
			return nil, fmt.Errorf("public key %s: %w", key.Kid, err)
		}
		response.Keys = append(response.Keys, &externaljwt.Key{KeyId: key.Kid, Key: der})
	}
	if len(response.Keys) == 0 { // kube-apiserver takes that for a fault, but not for a reason
		return nil, ipc.NewProblem(ipc.CodeKeyNotAvailable, "")
	}
	response.DataTimestamp = timestamppb.New(stampOf(ring, s.opts.Issuer.Set, set.JSON()))
	return response, nil
}

// authorize refuses callers that can't have any token either.
func (s *Server) authorize(ctx context.Context) error {
	_, err := s.opts.Signer.CurrentPolicy().KubernetesClient(connOf(ctx).identify(), s.opts.Issuer.Set)
	return signer.ProblemOf(err)
}

// stampOf is the time of a set of keys: the creation time of its newest
// version, with a hash of the set for the fraction of a second. It is another
// one exactly when the set is another one, also after a restart and on other
// machines with the same HSM. kube-apiserver compares it, and shows it in a
// metric.
func stampOf(ring *keyset.Ring, set string, document []byte) time.Time {
	newest := time.Unix(0, 0)
	plan, _ := ring.Plan(set)
	for _, version := range plan.Versions {
		if version.State.InJWKS() && version.Created.After(newest) {
			newest = version.Created
		}
	}
	sum := sha256.Sum256(document)
	fraction := binary.BigEndian.Uint64(sum[:8]) % uint64(time.Second)
	return newest.Truncate(time.Second).Add(time.Duration(fraction))
}
