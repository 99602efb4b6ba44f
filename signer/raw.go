package signer

import (
	"context"
	"crypto"
	"fmt"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// RawRequest asks for a signature over a digest, with a key set whose use is
// raw.
type RawRequest struct {
	Key     string // name of the key set
	Hash    string // "SHA-256", "SHA-384", "SHA-512"; "none" for Ed25519, where Digest is the message
	Digest  []byte
	Padding string // RSA alone: "pkcs1v15" or "pss" (salt as long as the hash); empty for the grant's only one
}

// RawSignature is the answer: by the conventions of crypto.Signer.
type RawSignature struct {
	Signature []byte
	Kid       string
}

// maxRawMessage bounds the message that an Ed25519 key signs, in bytes. Other
// keys see a digest alone.
const maxRawMessage = 32 << 10

// Sign answers one request for a raw signature.
func (s *Signer) Sign(ctx context.Context, caller caller.Caller, req RawRequest) (RawSignature, error) {
	rec := &Record{Time: s.now(), Kind: KindRaw, Caller: caller, Key: req.Key, Hash: req.Hash, Padding: req.Padding, Digest: req.Digest}
	signature, err := s.signRaw(ctx, caller, req, rec)
	if err := s.release(ctx, rec, err); err != nil {
		return RawSignature{}, err
	}
	return signature, nil
}

func (s *Signer) signRaw(ctx context.Context, caller caller.Caller, req RawRequest, rec *Record) (RawSignature, error) {
	t, err := s.admitRaw(caller, req, rec)
	rec.Decided = s.now()
	if err != nil {
		return RawSignature{}, err
	}
	defer t.leave()
	signature, err := s.sign(ctx, t.key, req.Digest, t.opts)
	return RawSignature{Signature: signature, Kid: t.key.Kid}, err
}

// rawTicket is a decided and limited raw signature.
type rawTicket struct {
	key   keyset.Key
	opts  crypto.SignerOpts
	leave func() // ends the request's time in flight
}

// admitRaw makes the ticket of a request, as admit does.
func (s *Signer) admitRaw(caller caller.Caller, req RawRequest, rec *Record) (rawTicket, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	grant, err := s.policy.Load().DecideRaw(caller, policy.RawRequest{Key: req.Key, Hash: req.Hash, Padding: req.Padding})
	if err != nil {
		rec.refusal(err)
		return rawTicket{}, err
	}
	rec.Client, rec.Grant = grant.Client(), grant.Name()
	leave, err := s.enter(grant.Client(), grant.InFlight())
	if err != nil {
		return rawTicket{}, err
	}
	t, err := s.prepareRaw(grant, req, rec)
	if err != nil {
		leave()
		return rawTicket{}, err
	}
	t.leave = leave
	return t, nil
}

func (s *Signer) prepareRaw(grant policy.RawGrant, req RawRequest, rec *Record) (rawTicket, error) {
	if !grant.Valid() {
		return rawTicket{}, fmt.Errorf("signer: a grant that no policy made")
	}
	key, err := s.keys.SigningKey(grant.Key())
	if err != nil {
		return rawTicket{}, err
	}
	rec.Kid = key.Kid
	req.Hash, req.Padding = grant.Hash(), grant.Padding()
	opts, err := rawOptions(key.Public, req)
	if err != nil {
		return rawTicket{}, err
	}
	return rawTicket{key: key, opts: opts}, s.limit(grant.Client(), grant.Name(), grant.Key())
}

// rawOptions turns the request's words into those of crypto.Signer, and
// refuses what does not fit the key.
func rawOptions(public crypto.PublicKey, req RawRequest) (crypto.SignerOpts, error) {
	hash, ok := jose.HashByName(req.Hash)
	if !ok {
		return nil, fmt.Errorf("%w: hash %q is unknown; use SHA-256, SHA-384, SHA-512, or none for Ed25519", ErrDigest, req.Hash)
	}
	if err := fitsKey(public, hash, req.Padding); err != nil {
		return nil, err
	}
	if hash == 0 {
		return hash, fitsMessage(req.Digest)
	}
	if len(req.Digest) != hash.Size() {
		return nil, fmt.Errorf("%w: a %s digest has %d bytes, this one has %d", ErrDigest, req.Hash, hash.Size(), len(req.Digest))
	}
	if req.Padding == "pss" {
		return jose.PSS(hash), nil
	}
	return hash, nil
}

func fitsMessage(message []byte) error {
	if len(message) > maxRawMessage {
		return fmt.Errorf("%w: the message has %d bytes, at most %d are signed", ErrDigest, len(message), maxRawMessage)
	}
	return nil
}

// fitsKey checks hash and padding against the kind of key.
func fitsKey(public crypto.PublicKey, hash crypto.Hash, padding string) error {
	switch jose.KindOf(public) {
	case jose.Ed25519:
		if hash != 0 || padding != "" {
			return fmt.Errorf(`%w: an Ed25519 key signs the message itself: hash "none", no padding`, ErrDigest)
		}
	case jose.P256, jose.P384, jose.P521:
		if hash == 0 || padding != "" {
			return fmt.Errorf("%w: an ECDSA key signs a SHA-256, SHA-384 or SHA-512 digest, without padding", ErrDigest)
		}
	case jose.RSA:
		if hash == 0 || (padding != "pkcs1v15" && padding != "pss") {
			return fmt.Errorf(`%w: an RSA key signs a SHA-256, SHA-384 or SHA-512 digest with padding "pkcs1v15" or "pss"`, ErrDigest)
		}
	default:
		return fmt.Errorf("%w: keys of type %T do not sign", ErrDigest, public)
	}
	return nil
}
