package signer

import (
	"context"
	"crypto"
	"encoding/base64"
	"fmt"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/tracing"
)

// joseKey lets go-jose sign with a pinned key version of the HSM. go-jose's own
// cryptosigner can't be used: it asks PSS for an automatic salt length, which
// PKCS#11 has no word for.
type joseKey struct {
	ctx    context.Context // of the one request that this signer is made for
	signer *Signer
	key    keyset.Key
	kid    string // of the header; empty for none
	// compact is what it has signed, with the signature: the JWS, for which
	// go-jose would encode the header once more.
	compact string
}

var _ gojose.OpaqueSigner = (*joseKey)(nil)

// Public is the pinned key; go-jose takes the kid of the header from here.
func (k *joseKey) Public() *gojose.JSONWebKey {
	return &gojose.JSONWebKey{Key: k.key.Public, KeyID: k.kid, Algorithm: k.key.Alg, Use: "sig"}
}

// Algs is the one algorithm of the key set.
func (k *joseKey) Algs() []gojose.SignatureAlgorithm {
	return []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(k.key.Alg)}
}

// SignPayload signs the JWS signing input in the HSM.
func (k *joseKey) SignPayload(payload []byte, alg gojose.SignatureAlgorithm) ([]byte, error) {
	if string(alg) != k.key.Alg {
		return nil, fmt.Errorf("signer: key %s signs %s, not %s", k.key.Kid, k.key.Alg, alg)
	}
	a, err := jose.Lookup(k.key.Alg)
	if err != nil {
		return nil, err
	}
	signature, err := k.signer.sign(k.ctx, k.key, a.Digest(payload), payload, a.Options)
	if err != nil {
		return nil, err
	}
	if signature, err = a.Signature(signature); err != nil {
		return nil, err
	}
	k.compact = string(payload) + "." + base64.RawURLEncoding.EncodeToString(signature)
	return signature, nil
}

// compact signs claims under a header and gives the JWS in compact form
// (RFC 7515 section 7.1). alg and kid come from the key, and kid only if the
// profile has one; no other part of the header may name them.
func (s *Signer) compact(ctx context.Context, key keyset.Key, kid string, header map[string]any, claims []byte) (string, error) {
	options := &gojose.SignerOptions{}
	for name, value := range header {
		if name == "alg" || name == "kid" {
			return "", fmt.Errorf("signer: the profile must not set the header %q", name)
		}
		options.WithHeader(gojose.HeaderKey(name), value)
	}
	pinned := &joseKey{ctx: ctx, signer: s, key: key, kid: kid}
	joseSigner, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.SignatureAlgorithm(key.Alg), Key: pinned}, options)
	if err != nil {
		return "", fmt.Errorf("signer: %w", err)
	}
	if _, err := joseSigner.Sign(claims); err != nil {
		return "", err
	}
	return pinned.compact, nil
}

// sign has the HSM sign a digest and, as configured, verifies the signature
// with the public key before anyone sees it. The message is nil if only its
// digest is known.
func (s *Signer) sign(ctx context.Context, key keyset.Key, digest, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if s.hold != nil {
		if err := s.hold(); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrHeld, err)
		}
	}
	var check func([]byte) error
	if s.verifiesNext() {
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
