package signer_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/signer/policy"
)

func TestRawSignatureVerifies(t *testing.T) {
	digest := sha256.Sum256([]byte("message"))
	s, p := newSigner(t, "ES256")
	got, err := s.Sign(context.Background(), known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest[:]})
	if err != nil {
		t.Fatal(err)
	}
	if !ecdsa.VerifyASN1(p.key.Public.(*ecdsa.PublicKey), digest[:], got.Signature) || got.Kid != p.key.Kid {
		t.Error("the signature does not verify")
	}
	if r := p.record(t); r.Kind != audit.KindRaw || !bytes.Equal(r.Digest, digest[:]) || r.Grant != "tls" {
		t.Errorf("record %+v", r)
	}
}

func TestEd25519SignsTheMessage(t *testing.T) {
	s, p := newSigner(t, "EdDSA")
	got, err := s.Sign(context.Background(), known, ipc.SignRequest{Key: "payments", Hash: "none", Digest: []byte("message")})
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(p.key.Public.(ed25519.PublicKey), []byte("message"), got.Signature) {
		t.Error("the signature does not verify")
	}
}

func TestRawRefusals(t *testing.T) {
	digest := make([]byte, 32)
	for _, test := range []struct {
		name, alg string
		caller    caller.Caller
		req       ipc.SignRequest
		want      error
	}{
		{"unknown caller", "ES256", unknown, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest}, &policy.Refusal{Code: policy.UnknownCaller}},
		{"other key", "ES256", known, ipc.SignRequest{Key: "other", Hash: "SHA-256", Digest: digest}, &policy.Refusal{Code: policy.KeyNotAllowed}},
		{"hash", "ES256", known, ipc.SignRequest{Key: "payments", Hash: "SHA-512", Digest: make([]byte, 64)}, &policy.Refusal{Code: policy.HashNotAllowed}},
		{"padding", "ES256", known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest, Padding: "pss"}, &policy.Refusal{Code: policy.PaddingNotAllowed}},
		{"short digest", "ES256", known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest[1:]}, signer.ErrDigest},
		{"message for ECDSA", "ES256", known, ipc.SignRequest{Key: "payments", Hash: "none", Digest: digest}, signer.ErrDigest},
		{"digest for Ed25519", "EdDSA", known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest}, signer.ErrDigest},
		{"no padding for RSA", "RS256", known, ipc.SignRequest{Key: "payments", Hash: "SHA-256", Digest: digest}, signer.ErrDigest},
		{"long message", "EdDSA", known, ipc.SignRequest{Key: "payments", Hash: "none", Digest: make([]byte, 40<<10)}, signer.ErrDigest},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, p := newSigner(t, test.alg)
			got, err := s.Sign(context.Background(), test.caller, test.req)
			if !errors.Is(err, test.want) || got.Signature != nil {
				t.Fatalf("got %v and %v, want %v", got, err, test.want)
			}
			if p.signed != 0 || len(p.spent()) != 0 {
				t.Error("the HSM was asked or a budget taken")
			}
		})
	}
}
