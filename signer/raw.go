package signer

import (
	"context"
	"crypto"
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// Sign answers one request for a raw signature, by the conventions of
// crypto.Signer, with a key set whose use is raw. Errors are those of Assert,
// and ErrDigest.
func (s *Signer) Sign(ctx context.Context, who caller.Caller, req ipc.SignRequest) (ipc.SignResponse, error) {
	d := s.newDecision(ctx, audit.KindRaw, who)
	d.Key, d.Hash, d.Padding, d.Digest = req.Key, req.Hash, req.Padding, req.Digest
	signature, err := s.signRaw(ctx, req, d)
	if err := s.release(ctx, d, err); err != nil {
		return ipc.SignResponse{}, err
	}
	return signature, nil
}

func (s *Signer) signRaw(ctx context.Context, req ipc.SignRequest, d *decision) (ipc.SignResponse, error) {
	t, err := s.admitRaw(ctx, req, d)
	d.decided = s.now()
	if err != nil {
		return ipc.SignResponse{}, err
	}
	defer t.leave()
	signature, err := s.sign(ctx, t.key, req.Digest, nil, t.opts, s.verifiesNext())
	return ipc.SignResponse{Signature: signature, Kid: t.key.Kid}, err
}

// rawTicket is a decided and limited raw signature.
type rawTicket struct {
	key   keyset.Key
	opts  crypto.SignerOpts
	leave func() // ends the request's time in flight
}

// admitRaw makes the ticket of a request, as admit does.
func (s *Signer) admitRaw(ctx context.Context, req ipc.SignRequest, d *decision) (rawTicket, error) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	grant, err := s.policy.Load().DecideRaw(d.Caller, policy.RawRequest{Key: req.Key, Hash: req.Hash, Padding: req.Padding})
	if err != nil {
		d.refused(err)
		return rawTicket{}, err
	}
	d.Client, d.Grant = grant.Client(), grant.Name()
	if err := s.thawed(d); err != nil {
		return rawTicket{}, err
	}
	leave, err := s.enter(grant.Client(), grant.InFlight())
	if err != nil {
		return rawTicket{}, err
	}
	t, err := s.prepareRaw(ctx, grant, req, d)
	if err != nil {
		leave()
		return rawTicket{}, err
	}
	t.leave = leave
	return t, nil
}

func (s *Signer) prepareRaw(ctx context.Context, grant policy.RawGrant, req ipc.SignRequest, d *decision) (rawTicket, error) {
	if !grant.Valid() {
		return rawTicket{}, errors.New("signer: invalid (zero) grant")
	}
	key, err := s.keys.SigningKey(grant.Key())
	if err != nil {
		return rawTicket{}, err
	}
	d.Kid = key.Kid
	req.Hash, req.Padding = grant.Hash(), grant.Padding()
	opts, err := rawOptions(key.Public, req)
	if err != nil {
		return rawTicket{}, err
	}
	return rawTicket{key: key, opts: opts}, s.limit(ctx, d, grant.Client(), grant.Name(), grant.Key())
}

// digestError is a sentence for the caller. It unwraps to ErrDigest.
type digestError string

func (e digestError) Error() string { return string(e) }

func (digestError) Unwrap() error { return ErrDigest }

func refuseDigest(format string, args ...any) error {
	return digestError(fmt.Sprintf(format, args...))
}

// rawOptions turns the request's words into those of crypto.Signer, and
// refuses what does not fit the key.
func rawOptions(public crypto.PublicKey, req ipc.SignRequest) (crypto.SignerOpts, error) {
	hash, ok := jose.HashByName(req.Hash)
	if !ok {
		return nil, refuseDigest("Hash %q is unknown. Use SHA-256, SHA-384, SHA-512, or none for Ed25519 and ML-DSA.", req.Hash)
	}
	if err := fitsKey(public, hash, req.Padding); err != nil {
		return nil, err
	}
	if hash == 0 {
		return hash, fitsMessage(req.Digest)
	}
	if len(req.Digest) != hash.Size() {
		return nil, refuseDigest("A %s digest has %d bytes, but this one has %d.", req.Hash, hash.Size(), len(req.Digest))
	}
	if req.Padding == ipc.PaddingPSS {
		return jose.PSS(hash), nil
	}
	return hash, nil
}

func fitsMessage(message []byte) error {
	if len(message) > ipc.MaxMessageBytes {
		return refuseDigest("The message has %d bytes; the limit is %d.", len(message), ipc.MaxMessageBytes)
	}
	return nil
}

// fitsKey checks hash and padding against the kind of key.
func fitsKey(public crypto.PublicKey, hash crypto.Hash, padding string) error {
	switch jose.KindOf(public) {
	case jose.Ed25519, jose.MLDSA44, jose.MLDSA65, jose.MLDSA87:
		if hash != 0 || padding != "" {
			return refuseDigest(`An Ed25519 or ML-DSA key signs the message itself. Use hash "none" and no padding.`)
		}
	case jose.P256, jose.P384, jose.P521:
		if hash == 0 || padding != "" {
			return refuseDigest("An ECDSA key signs a SHA-256, SHA-384 or SHA-512 digest without padding.")
		}
	case jose.RSA:
		if hash == 0 || (padding != ipc.PaddingPKCS1v15 && padding != ipc.PaddingPSS) {
			return refuseDigest(`An RSA key signs a SHA-256, SHA-384 or SHA-512 digest with padding "pkcs1v15" or "pss".`)
		}
	default:
		return refuseDigest("Keys of type %T can't sign.", public)
	}
	return nil
}
