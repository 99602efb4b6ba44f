package pool

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
	"github.com/assertd/assertd/internal/jose"
)

// probeText starts every message that the pool has signed for itself, so that
// no receiver takes one for its own; random bytes follow. Such a signature
// never leaves the pool.
const probeText = "assertd worker probe\x00"

// SetProbes says which keys the pool may sign with for itself, and with which
// options: those of the configured key sets. It never signs with another key on
// the token, and a key may be restricted to one algorithm. A worker whose token
// has none of them is ready once it has read its inventory. Workers in service
// that have not signed yet are probed at once: the pool had no key to prove
// them with when they started. SetProbes doesn't wait for that.
func (p *Pool) SetProbes(keys map[wire.KeyRef]crypto.SignerOpts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if maps.Equal(p.probes, keys) {
		return
	}
	p.probes = maps.Clone(keys)
	for _, t := range p.tokens {
		for _, w := range t.ready {
			w.unfit.Store(false)
		}
	}
	p.triggerProofs()
}

// triggerProofs has watch probe the workers that have not signed yet.
func (p *Pool) triggerProofs() {
	select {
	case p.prove <- struct{}{}:
	default: // it is about to
	}
}

// probe is a key to sign with and how.
type probe struct {
	wire.KeyInfo
	opts crypto.SignerOpts
}

// probesAmong lists those of the keys that the pool may sign with.
func (p *Pool) probesAmong(keys []wire.KeyInfo) (probes []probe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, k := range keys {
		if opts, configured := p.probes[k.Ref]; configured && k.Signs() {
			probes = append(probes, probe{k, opts})
		}
	}
	return probes
}

// request makes something for the key to sign.
func (k probe) request() (wire.SignRequest, error) {
	message := append([]byte(probeText), make([]byte, 32)...)
	_, _ = rand.Read(message[len(probeText):]) // never fails
	digest := message
	if hash := k.opts.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	request, err := wire.NewSignRequest(k.Ref, digest, k.opts)
	if k.Hashes {
		request = request.Hashed(jose.WithMessage{SignerOpts: k.opts, Message: message})
	}
	return request, err
}

// refused names the key that doesn't sign.
func (k probe) refused(err error) error { return fmt.Errorf("key %q doesn't sign: %w", k.Label, err) }

// prove has a worker that starts make one signature and verifies it. If the
// token can't sign with a key, that isn't the worker's fault: the next key is
// tried. Without probes there is nothing to prove, nor with keys that all lack
// the algorithm of their key set: the worker works, and those key sets don't. A
// signature gets as long as those for callers: a module that hangs in it is
// noticed, and its token tried again, well before the time for the whole start
// is over.
func (w *worker) prove(ctx context.Context, probes []probe, timeout time.Duration) error {
	var failed error
	id := uint32(0)
	for _, k := range probes {
		id--
		_ = w.process.conn.SetDeadline(time.Now().Add(timeout))
		if ctx.Err() != nil { // the deadline just replaced may be the one that the end of ctx set
			return context.Cause(ctx)
		}
		err := w.proveKey(k, id)
		switch {
		case err == nil:
			w.verified.Store(time.Now().UnixNano())
			return nil
		case endsStart(err):
			return err
		case !errors.Is(err, hsm.ErrAlgorithm):
			failed = k.refused(err)
		}
	}
	w.unfit.Store(failed == nil && len(probes) > 0)
	return failed
}

// endsStart reports whether an error is the worker's, not that of one key. A
// signature that the front finds bad may be the key's, if its halves don't
// belong together.
func endsStart(err error) bool {
	if errors.Is(err, errMismatch) {
		return false
	}
	return hsm.IsFatal(err) || errors.Is(err, ErrDied) || errors.Is(err, ErrStart) || errors.Is(err, wire.ErrMalformed)
}

func (w *worker) proveKey(k probe, id uint32) error {
	request, err := k.request()
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
	return verify(k.Public, request.Digest, k.opts, reply.Signature)
}

// probeIdle probes every worker that has gone a probe interval without a
// verified signature or, if it has no key to sign with, a ping.
func (p *Pool) probeIdle(ctx context.Context, now time.Time, probes *sync.WaitGroup) {
	if p.cfg.Probe == 0 {
		return
	}
	for _, w := range p.readyWorkers(nil) {
		if now.UnixNano()-w.lastProof() > int64(p.cfg.Probe) {
			p.startProbe(ctx, w, probes)
		}
	}
}

// probeUnproved probes every worker in service that has not signed yet and has
// a key to do so.
func (p *Pool) probeUnproved(ctx context.Context, probes *sync.WaitGroup) {
	if p.cfg.Probe == 0 {
		return
	}
	for _, w := range p.readyWorkers(nil) {
		if w.verified.Load() == 0 && !w.unfit.Load() && len(p.probesAmong(p.keysOf(w.token))) > 0 {
			p.startProbe(ctx, w, probes)
		}
	}
}

// startProbe probes a worker in the background, unless a probe of it is
// running.
func (p *Pool) startProbe(ctx context.Context, w *worker, probes *sync.WaitGroup) {
	if !w.probing.CompareAndSwap(false, true) {
		return
	}
	probes.Go(func() {
		p.probe(ctx, w)
		w.probing.Store(false)
		if w.verified.Load() == 0 && !w.unfit.Load() {
			p.triggerProofs() // the probes may have been set while it was pinged
		}
	})
}

// probe has one worker sign and retires it if it can't. A worker whose token
// has no key to probe with, or none that has the algorithm of its key set, is
// pinged instead.
func (p *Pool) probe(ctx context.Context, w *worker) {
	var failed error
	probes := p.probesAmong(p.keysOf(w.token))
	for _, k := range probes {
		err := p.probeKey(ctx, w, k)
		switch {
		case err == nil || ctx.Err() != nil:
			return
		case !errors.Is(err, hsm.ErrAlgorithm):
			failed = errors.Join(failed, err)
		}
	}
	if failed == nil {
		w.unfit.Store(len(probes) > 0)
		failed = p.ask(ctx, w, newPinnedCall(wire.Raw{Kind: wire.KindPing}, p.cfg.Timeout)).err
		w.pinged.Store(time.Now().UnixNano())
	}
	switch {
	case failed == nil || ctx.Err() != nil:
	case errors.Is(failed, hsm.ErrSignature):
		p.retire(w, failed, EventCorrupt)
	default:
		p.retire(w, failed, "")
	}
}

func (p *Pool) probeKey(ctx context.Context, w *worker, k probe) error {
	request, err := k.request()
	if err != nil {
		return err
	}
	r := p.ask(ctx, w, newPinnedCall(&request, p.cfg.Timeout))
	if r.err != nil {
		return k.refused(r.err)
	}
	if err := verify(k.Public, request.Digest, k.opts, r.reply.Signature); err != nil {
		return err
	}
	w.verified.Store(time.Now().UnixNano())
	return nil
}

// verify is jose.Verify with the error hsm.ErrSignature, which tells the pool
// that the worker is at fault.
func verify(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) error {
	if err := jose.Verify(public, digest, opts, signature); err != nil {
		return fmt.Errorf("%w: %w: %w", hsm.ErrSignature, errMismatch, err)
	}
	return nil
}

// errMismatch marks a signature that the worker was content with.
var errMismatch = errors.New("it does not verify with the public key")
