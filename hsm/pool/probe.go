package pool

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// probeText starts every message that the pool has signed for itself, so that it is none that means anything to anybody; random bytes follow.
// Such a signature never leaves the pool.
const probeText = "assertd worker probe\x00"

// probeRequest makes something for the key to sign, with the options by which to check it.
func probeRequest(k wire.KeyInfo) (wire.SignRequest, crypto.SignerOpts, error) {
	message := append([]byte(probeText), make([]byte, 32)...)
	_, _ = rand.Read(message[len(probeText):]) // never fails
	hash := crypto.SHA256
	switch k.Type {
	case hsm.Ed25519:
		hash = 0
	case hsm.P384:
		hash = crypto.SHA384
	case hsm.P521:
		hash = crypto.SHA512
	}
	if hash != 0 {
		h := hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	r, err := wire.NewSignRequest(k.Ref, message, hash)
	return r, hash, err
}

// prove has a worker that is starting make one signature and checks it. A key that this token can't sign with is no fault of the worker: the
// next is tried. No key at all is nothing to prove. A signature may take as long as those for callers may: a module that hangs in it is found out
// soon, and its token is tried anew, rather than when the time for the whole start is over.
func (w *worker) prove(ctx context.Context, keys []wire.KeyInfo, limit time.Duration) error {
	var failed error
	id := uint32(0)
	for _, k := range keys {
		if !k.Signs() {
			continue
		}
		id--
		_ = w.process.conn.SetDeadline(time.Now().Add(limit))
		if ctx.Err() != nil { // the deadline that the end of ctx set may be the one just replaced
			return context.Cause(ctx)
		}
		err := w.proveKey(k, id)
		if err == nil || hsm.IsFatal(err) || errors.Is(err, ErrDied) || errors.Is(err, ErrStart) || errors.Is(err, wire.ErrMalformed) {
			return err
		}
		failed = fmt.Errorf("key %q doesn't sign: %w", k.Label, err)
	}
	return failed
}

func (w *worker) proveKey(k wire.KeyInfo, id uint32) error {
	request, opts, err := probeRequest(k)
	if err != nil {
		return err
	}
	f, err := w.exchange(&request, id)
	if err != nil {
		return err
	}
	if f.Kind != wire.KindSignature {
		return wire.Malformed("a reply of kind %#x to a signature request", f.Kind)
	}
	reply, err := wire.ParseSignReply(f.Payload)
	if err != nil {
		return err
	}
	return verify(k.Public, request.Digest, opts, reply.Signature)
}

// probeIdle has every worker sign that has had no signature verified for the probe interval.
func (p *Pool) probeIdle(ctx context.Context, now time.Time, probes *sync.WaitGroup) {
	if p.cfg.Probe == 0 {
		return
	}
	for _, w := range p.readyWorkers(nil) {
		if now.UnixNano()-w.verified.Load() > int64(p.cfg.Probe) && w.probing.CompareAndSwap(false, true) {
			probes.Go(func() {
				defer w.probing.Store(false)
				p.probe(ctx, w)
			})
		}
	}
}

// probe has one worker sign and retires it if it can't. A worker whose token has no key is only asked whether it is alive.
func (p *Pool) probe(ctx context.Context, w *worker) {
	var failed error
	for _, k := range p.keysOf(w.token) {
		if !k.Signs() {
			continue
		}
		if failed = p.probeKey(ctx, w, k); failed == nil || ctx.Err() != nil {
			return
		}
		if errors.Is(failed, hsm.ErrSignature) {
			p.retire(w, failed, EventCorrupt)
			return
		}
	}
	if failed == nil {
		failed = p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindPing}, p.cfg.Timeout)).err
		w.verified.Store(time.Now().UnixNano())
	}
	if failed != nil && ctx.Err() == nil {
		p.retire(w, failed, "")
	}
}

func (p *Pool) probeKey(ctx context.Context, w *worker, k wire.KeyInfo) error {
	request, opts, err := probeRequest(k)
	if err != nil {
		return err
	}
	r := p.ask(ctx, w, newPinnedCall(&request, p.cfg.Timeout))
	if r.err != nil {
		return r.err
	}
	if err := verify(k.Public, request.Digest, opts, r.reply.Signature); err != nil {
		return err
	}
	w.verified.Store(time.Now().UnixNano())
	return nil
}

func (p *Pool) keysOf(t *token) []wire.KeyInfo {
	p.mu.Lock()
	defer p.mu.Unlock()
	return t.keys
}
