package signer

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/tracing"
)

// compact signs claims under a header and gives the JWS in compact form (RFC
// 7515 section 7.1). alg and kid come from the key, and kid only if the profile
// has one; no other part of the header may name them. No library serializes it,
// since none knows all algorithms.
func (s *Signer) compact(ctx context.Context, key keyset.Key, kid string, header map[string]any, claims []byte) (string, error) {
	protected, err := protectedHeader(key.Alg, kid, header)
	if err != nil {
		return "", err
	}
	compact := base64.RawURLEncoding.AppendEncode(nil, protected)
	compact = base64.RawURLEncoding.AppendEncode(append(compact, '.'), claims)
	signature, err := s.signature(ctx, key, compact, s.verifiesNext())
	if err != nil {
		return "", err
	}
	return string(base64.RawURLEncoding.AppendEncode(append(compact, '.'), signature)), nil
}

// signature signs the input of a JWS (RFC 7515 section 5.1), and returns the
// signature in the form that a JWS has.
func (s *Signer) signature(ctx context.Context, key keyset.Key, input []byte, verify bool) ([]byte, error) {
	a, err := jose.Lookup(key.Alg)
	if err != nil {
		return nil, err
	}
	if !a.Fits(key.Public) {
		return nil, fmt.Errorf("signer: key %s doesn't sign %s", key.Kid, key.Alg)
	}
	signature, err := s.sign(ctx, key, a.Digest(input), input, a.Options, verify)
	if err != nil {
		return nil, err
	}
	return a.Signature(signature)
}

// protectedHeader adds alg and, unless it is empty, kid to a header.
func protectedHeader(alg, kid string, header map[string]any) ([]byte, error) {
	all := map[string]any{"alg": alg}
	if kid != "" {
		all["kid"] = kid
	}
	for name, value := range header {
		if name == "alg" || name == "kid" {
			return nil, fmt.Errorf("signer: the profile must not set the header %q", name)
		}
		all[name] = value
	}
	return json.Marshal(all)
}

// sign has the HSM sign a digest and, with verify, verifies the signature with
// the public key before anyone sees it. The message is nil if only its digest
// is known.
func (s *Signer) sign(ctx context.Context, key keyset.Key, digest, message []byte, opts crypto.SignerOpts, verify bool) ([]byte, error) {
	if s.hold != nil {
		if err := s.hold(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHeld, err)
		}
	}
	var check func([]byte) error
	if verify {
		check = func(signature []byte) error { return jose.Verify(key.Public, digest, opts, signature) }
	}
	var span *tracing.Span
	if s.traced {
		span = tracing.Start(ctx, "sign").Text("assertd.key", key.Set).Text("assertd.kid", key.Kid)
	}
	asked := opts
	if message != nil {
		asked = jose.WithMessage{SignerOpts: opts, Message: message}
	}
	signature, err := s.hsm.Sign(ctx, key.Set, key.Ref, digest, asked, check)
	s.endSpan(span, err)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHSM, err)
	}
	return signature, nil
}

// verifiesNext reports whether the next signature is verified, as configured.
func (s *Signer) verifiesNext() bool {
	return s.verify == VerifyAlways || s.sampled.Add(1)%SampleEvery == 1
}

// Prove makes one signature with a key and verifies it with the public half.
func Prove(ctx context.Context, hsm HSM, key keyset.Key) error {
	a, err := jose.Lookup(key.Alg)
	if err != nil {
		return err
	}
	message := []byte("assertd proof of possession")
	digest := a.Digest(message)
	check := func(signature []byte) error { return jose.Verify(key.Public, digest, a.Options, signature) }
	if _, err := hsm.Sign(ctx, key.Set, key.Ref, digest, jose.WithMessage{SignerOpts: a.Options, Message: message}, check); err != nil {
		return fmt.Errorf("%w: %w", ErrHSM, err)
	}
	return nil
}
