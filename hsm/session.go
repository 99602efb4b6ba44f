package hsm

import (
	"context"
	"errors"
	"sync"

	"github.com/miekg/pkcs11"
)

// session is an open session. Its methods return *Error for the module's
// errors.
type session struct {
	ctx    *pkcs11.Ctx
	handle pkcs11.SessionHandle
}

// noSession is CK_INVALID_HANDLE: a place in the pool whose session must be
// opened first.
const noSession pkcs11.SessionHandle = 0

// openSession opens a read-write session. Some modules, such as AWS CloudHSM's,
// have no others.
func openSession(ctx *pkcs11.Ctx, slot uint) (session, error) {
	handle, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	return session{ctx, handle}, callError("C_OpenSession", err)
}

func (s session) close() { _ = s.ctx.CloseSession(s.handle) }

func (s session) signInit(mechanism *pkcs11.Mechanism, key pkcs11.ObjectHandle) error {
	return callError("C_SignInit", s.ctx.SignInit(s.handle, []*pkcs11.Mechanism{mechanism}, key))
}

func (s session) sign(input []byte) ([]byte, error) {
	signature, err := s.ctx.Sign(s.handle, input)
	return signature, callError("C_Sign", err)
}

// sessions is a fixed-size pool of sessions.
type sessions struct {
	ctx    *pkcs11.Ctx
	slot   uint
	size   int
	free   chan pkcs11.SessionHandle
	closed chan struct{}
	once   sync.Once
}

// newSessions opens the sessions up front, so that no signature has to. If the
// token has fewer, those must do.
func newSessions(ctx *pkcs11.Ctx, slot uint, n int) (*sessions, error) {
	p := &sessions{ctx: ctx, slot: slot, free: make(chan pkcs11.SessionHandle, n), closed: make(chan struct{})}
	for p.size < n {
		s, err := openSession(ctx, slot)
		if p.size > 0 && hasCode(err, pkcs11.CKR_SESSION_COUNT) {
			break
		}
		if err != nil {
			p.close()
			return nil, err
		}
		p.free <- s.handle
		p.size++
	}
	return p, nil
}

// with runs use with a session. A session on which a call failed is closed and
// never used again: an operation may be half done in it. Every call into the
// module is made inside with, so that close can wait for the last one. Don't
// nest it: with one session it would deadlock.
func (p *sessions) with(ctx context.Context, use func(session) error) error {
	s, err := p.take(ctx)
	if err != nil {
		return err
	}
	err = use(s)
	var called *Error
	if errors.As(err, &called) {
		s.close()
		s.handle = noSession
	}
	p.free <- s.handle
	return err
}

func (p *sessions) take(ctx context.Context) (session, error) {
	select {
	case <-p.closed:
		return session{}, ErrClosed
	default:
	}
	select {
	case <-p.closed:
		return session{}, ErrClosed
	case <-ctx.Done():
		return session{}, context.Cause(ctx)
	case handle := <-p.free:
		return p.ready(handle)
	}
}

func (p *sessions) ready(handle pkcs11.SessionHandle) (session, error) {
	if handle != noSession {
		return session{p.ctx, handle}, nil
	}
	s, err := openSession(p.ctx, p.slot)
	if err != nil {
		p.free <- noSession
	}
	return s, err
}

// close waits for the sessions in use and closes them all.
func (p *sessions) close() {
	p.once.Do(func() {
		close(p.closed)
		for range p.size {
			if handle := <-p.free; handle != noSession {
				session{p.ctx, handle}.close()
			}
		}
	})
}
