package pool

import (
	"context"
	"crypto"
	"fmt"
	"time"

	"github.com/assertd/assertd/hsm/wire"
)

// Request is a signature to make.
type Request struct {
	Key wire.KeyRef
	// Digest is what is signed: a digest by the hash that Opts names, or, for Ed25519, the message itself, 64 KiB at most.
	Digest []byte
	// Opts are those of crypto.Signer: a crypto.Hash (SHA-256, SHA-384, SHA-512; 0 for Ed25519), or *rsa.PSSOptions whose salt is as long as
	// the hash.
	Opts crypto.SignerOpts
	// Verify, if set, checks the signature. One that it refuses is thrown away: the worker that made it is replaced and another is asked, once.
	Verify func(signature []byte) error
}

// Timing says where a signature's time went.
type Timing struct {
	Queue    time.Duration // from the call until the worker whose answer counted was given the request
	Worker   time.Duration // from then until its answer was here
	Session  time.Duration // of Worker: waiting in the worker for a free session
	Module   time.Duration // of Worker: in the PKCS#11 module
	Attempts int           // workers that were asked
	Corrupt  int           // signatures that were thrown away before the one returned
}

// Sign makes a signature as crypto.Signer would, and verifies it with the key's public half before it returns it. See Do for the errors.
func (p *Pool) Sign(ctx context.Context, key wire.KeyRef, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	public, err := p.publicOf(key)
	if err != nil {
		return nil, err
	}
	signature, _, err := p.Do(ctx, Request{Key: key, Digest: digest, Opts: opts, Verify: func(signature []byte) error {
		return Verify(public, digest, opts, signature)
	}})
	return signature, err
}

// Do makes a signature. It takes any worker whose token holds the key, and another if that one dies or falls silent. The errors are
// ErrUnavailable, ErrBusy, ErrTimeout, ErrCorrupt, ErrStopped, hsm.ErrKeyNotFound, hsm.ErrAlgorithm, whatever else the token had against this
// request, and the context's.
func (p *Pool) Do(ctx context.Context, r Request) ([]byte, Timing, error) {
	request, err := wire.NewSignRequest(r.Key, r.Digest, r.Opts)
	if err != nil {
		return nil, Timing{}, err
	}
	var t Timing
	for began := time.Now(); ; t.Corrupt++ {
		signature, w, err := p.once(ctx, request, began, &t)
		if err != nil {
			return nil, t, err
		}
		if r.Verify == nil {
			return signature, t, nil
		}
		if err = r.Verify(signature); err == nil {
			w.verified.Store(time.Now().UnixNano())
			return signature, t, nil
		}
		p.retire(w, err, EventCorrupt)
		if t.Corrupt > 0 {
			return nil, t, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
}

// once gets a signature from a worker and notes how long it took.
func (p *Pool) once(ctx context.Context, request wire.SignRequest, began time.Time, t *Timing) ([]byte, *worker, error) {
	r := p.do(ctx, newSignCall(request, p.cfg.Timeout))
	t.Attempts += max(r.attempts, 1)
	if r.err != nil {
		return nil, nil, r.err
	}
	if r.kind != wire.KindSignature {
		err := wire.Malformed("a reply of kind %#x to a signature request", r.kind)
		p.retire(r.worker, err, "")
		return nil, nil, err
	}
	t.Queue, t.Worker = r.sent.Sub(began), r.answered.Sub(r.sent)
	t.Session, t.Module = r.reply.Wait, r.reply.Module
	return r.reply.Signature, r.worker, nil
}
