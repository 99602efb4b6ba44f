package pool

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/signer"
)

// Timing says where a signature's time went.
type Timing struct {
	Queue    time.Duration // from the call until the worker that answered was sent the request
	Worker   time.Duration // from then until its answer arrived
	Session  time.Duration // of Worker: waiting in the worker for a free session
	Module   time.Duration // of Worker: in the PKCS#11 module
	Attempts int           // workers that were asked
	Corrupt  int           // signatures that were discarded before the one returned
}

// Sign makes a signature with a key of the named key set, which matters to the
// Observer only, by the conventions of crypto.Signer: digest is a digest by the
// hash that opts name or, for Ed25519, the message itself, 64 KiB at most; opts
// are a crypto.Hash (SHA-256, SHA-384, SHA-512; 0 for Ed25519) or
// *rsa.PSSOptions with a salt as long as the hash, or a jose.WithMessage with
// one of these, which lets a token sign that hashes messages itself. ECDSA
// signatures are ASN.1 DER.
//
// Any worker whose token holds the key signs, and another one if that worker
// dies or hangs. If verify isn't nil it checks the signature. One that it
// refuses is discarded: the worker that made it is replaced and another is
// asked, once.
//
// An error that is the key's fault wraps signer.ErrUnfit too: no worker can
// sign with it. The errors are ErrUnavailable, ErrBusy, ErrTimeout, ErrCorrupt,
// ErrStopped, hsm.ErrKeyNotFound, hsm.ErrAlgorithm, the token's other
// objections to this request, and the context's.
func (p *Pool) Sign(
	ctx context.Context, set string, key wire.KeyRef, digest []byte, opts crypto.SignerOpts, verify func([]byte) error,
) ([]byte, error) {
	var timing Timing
	signature, err := p.sign(ctx, key, digest, opts, verify, &timing)
	if errors.Is(err, hsm.ErrAlgorithm) || errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w: %w", signer.ErrUnfit, err)
	}
	if !errors.Is(err, context.Canceled) {
		p.cfg.Observer.Signed(set, timing, err)
	}
	return signature, err
}

func (p *Pool) sign(
	ctx context.Context, key wire.KeyRef, digest []byte, opts crypto.SignerOpts, verify func([]byte) error, t *Timing,
) ([]byte, error) {
	request, err := wire.NewSignRequest(key, digest, opts)
	if err != nil {
		return nil, err
	}
	if hashing := p.hashing.Load(); hashing != nil && (*hashing)[key] {
		request = request.Hashed(opts)
	}
	for began := time.Now(); ; t.Corrupt++ {
		signature, w, err := p.signOnce(ctx, request, began, t)
		if err != nil {
			return nil, err
		}
		if verify == nil {
			return signature, nil
		}
		if err = verify(signature); err == nil {
			w.verified.Store(time.Now().UnixNano())
			return signature, nil
		}
		p.retire(w, err, EventCorrupt)
		if t.Corrupt > 0 {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
}

// signOnce gets a signature from a worker and notes how long it took.
func (p *Pool) signOnce(
	ctx context.Context, request wire.SignRequest, began time.Time, t *Timing,
) ([]byte, *worker, error) {
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
