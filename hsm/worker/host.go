package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/wire"
)

// host is a worker's token and its keys by KeyRef.
type host struct {
	token    *hsm.Token
	sessions int
	copies   bool // keys sign through session copies, which outlive the keys

	listed  atomic.Bool // inventory has run
	reading sync.Mutex  // one scan of the token's objects at a time
	keys    atomic.Pointer[map[wire.KeyRef]*hsm.Key]
}

// openHost reads the PIN, closes the sandbox, opens the token and logs in. It
// has cleared the PIN when it returns.
func openHost(ctx context.Context, h wire.Hello, sandbox Sandbox) (*host, error) {
	pin, err := h.PIN.Read(ctx)
	if err != nil {
		return nil, err
	}
	defer pin.Zero()
	if sandbox != nil {
		if err := sandbox.Confine(h.HSM.Module); err != nil {
			return nil, fmt.Errorf("%w: %w", hsm.ErrModule, err)
		}
	}
	token, err := logIn(h, pin)
	if err != nil {
		return nil, err
	}
	host := &host{token: token, sessions: h.HSM.Sessions, copies: h.HSM.SessionCopies}
	if host.sessions < 1 {
		host.sessions = hsm.DefaultSessions
	}
	return host, nil
}

// logIn opens the token, unless it has refused this PIN before.
func logIn(h wire.Hello, pin *hsm.PIN) (*hsm.Token, error) {
	if pin.OnPad() {
		return hsm.Open(h.HSM, pin)
	}
	digest := pin.Digest(h.DigestKey)
	if slices.Contains(h.Refused, digest) && !h.HSM.RetryPIN {
		return nil, fmt.Errorf("%w before, and the PIN has not changed, so it wasn't tried again", hsm.ErrPINIncorrect)
	}
	token, err := hsm.Open(h.HSM, pin)
	if errors.Is(err, hsm.ErrPINIncorrect) {
		return nil, &hsm.RefusedPIN{Digest: digest, Cause: err}
	}
	return token, err
}

// inventory reads the whole token and encodes what it found.
func (h *host) inventory() ([]byte, error) {
	keys, err := h.read()
	if err != nil {
		return nil, err
	}
	certificates, err := h.token.Certificates()
	if err != nil {
		return nil, err
	}
	pin, err := h.pinState()
	if err != nil {
		return nil, err
	}
	of := byID(certificates)
	described := make([]wire.KeyInfo, 0, len(keys))
	for _, key := range keys {
		described = append(described, describe(key, of[string(key.ID())]))
	}
	token := wire.TokenDescription{Module: h.token.Info().Module, Offers: h.token.Offers(), Makes: h.token.Makes()}
	return wire.Inventory{PIN: pin, Token: token, Keys: described}.Encode()
}

// pinState is the state of the PIN before the login for the first inventory,
// since the login cleared it, and the present one later.
func (h *host) pinState() (hsm.PINState, error) {
	if h.listed.CompareAndSwap(false, true) {
		return h.token.Info().PIN, nil
	}
	return h.token.PINState(context.Background())
}

// read finds the keys and remembers those with a public half.
func (h *host) read() ([]*hsm.Key, error) {
	h.reading.Lock()
	defer h.reading.Unlock()
	keys, err := h.token.Keys()
	if err != nil {
		return nil, err
	}
	named := make(map[wire.KeyRef]*hsm.Key, len(keys))
	for _, key := range keys {
		if key.SPKI() != nil {
			named[key.Fingerprint()] = key
		}
	}
	h.keys.Store(&named)
	return keys, nil
}

// sign makes one signature. If the key isn't known the token is read again:
// another worker may have generated it after this one started.
func (h *host) sign(r wire.SignRequest) ([]byte, error) {
	key, err := h.find(r.Key)
	if err != nil {
		return nil, err
	}
	if r.Message != nil {
		return key.SignMessage(nil, r.Message, r.Opts())
	}
	return key.Sign(nil, r.Digest, r.Opts())
}

func (h *host) find(ref wire.KeyRef) (*hsm.Key, error) {
	if key := (*h.keys.Load())[ref]; key != nil {
		return key, nil
	}
	if _, err := h.read(); err != nil {
		return nil, err
	}
	if key := (*h.keys.Load())[ref]; key != nil {
		return key, nil
	}
	return nil, fmt.Errorf("%w: no key pair on the token has a public half with SHA-256 %x", hsm.ErrKeyNotFound, ref[:8])
}

// generate makes a key pair and describes it.
func (h *host) generate(payload []byte) ([]byte, error) {
	var spec hsm.Spec
	if err := json.Unmarshal(payload, &spec); err != nil {
		return nil, wire.Malformed("the key to generate: %v", err)
	}
	key, err := h.create(spec)
	if err != nil {
		return nil, err
	}
	return wire.EncodeKey(describe(key, nil))
}

func (h *host) create(spec hsm.Spec) (*hsm.Key, error) {
	h.reading.Lock()
	defer h.reading.Unlock()
	key, err := h.token.Generate(spec)
	if err != nil {
		return nil, err
	}
	named := map[wire.KeyRef]*hsm.Key{key.Fingerprint(): key}
	for ref, key := range *h.keys.Load() {
		named[ref] = key
	}
	h.keys.Store(&named)
	return key, nil
}

// discard destroys a key pair that failed its proof in another worker, and
// describes the keys that are left.
func (h *host) discard(payload []byte) ([]byte, error) {
	var spec hsm.Spec
	if err := json.Unmarshal(payload, &spec); err != nil {
		return nil, wire.Malformed("the key to discard: %v", err)
	}
	if err := h.token.Discard(spec.Label, spec.ID); err != nil {
		return nil, err
	}
	return h.inventory()
}

// confirm notices if the token, or a key that signs through a copy, is gone.
func (h *host) confirm(ctx context.Context) error { return h.token.Refresh(ctx) }

func (h *host) close() { _ = h.token.Close() }

// abandon is close after the module failed: any call may hang, and then only
// the end of the process can help.
func (h *host) abandon() {
	done := make(chan struct{})
	go func() { defer close(done); h.token.Abandon() }()
	select {
	case <-done:
	case <-time.After(wire.StopGrace):
	}
}
