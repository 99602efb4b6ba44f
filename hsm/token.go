package hsm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/miekg/pkcs11"
)

// Token is an open token, logged in. It is safe for concurrent use. A method
// can't be canceled once it calls the module: PKCS#11 has no way to.
type Token struct {
	module   *module
	path     string // of the module
	slot     slot
	sessions *sessions
	copies   *copies
	direct   *direct  // nil if signatures take miekg/pkcs11's calls
	again    *reentry // nil unless keys may need the PIN for each signature
	// judgement has the excuses of this token's keys.
	judgement judgement
	// mechanisms are those that the token lists; refused are those that it
	// refused to sign messages with, by refusedForm.
	mechanisms []Mechanism
	refused    sync.Map
	listed     atomic.Pointer[listing]
	sawKeys    atomic.Bool // the token has listed a key, so an empty list is suspicious

	// admin is held for writing to change the token's objects and for reading
	// to search them: SoftHSM's searches fail while another thread generates a
	// key.
	admin sync.RWMutex
	// lean is the index of the omissions with which the token made its last
	// key; admin guards it.
	lean   int
	closed sync.Once
}

// Open opens a token and logs in with exactly one C_Login: it never retries a
// refused PIN, and doesn't try one if the token reports that its PIN is locked
// or missing or, without Config.RetryPIN, that the next wrong one locks it. The
// caller clears pin afterwards.
//
// A process opens a token once. A second Open is refused while the first Token
// is open, because the module would accept any PIN. If the token is logged in
// although this process hasn't, the login is another's, such as that of the
// daemon behind a proxy module, and is used: see TokenInfo.SharedLogin.
//
// Errors: ErrModule, ErrTokenNotFound (with ErrAmbiguous if two tokens match),
// ErrPINIncorrect, ErrPINFinalTry, ErrPINLocked, ErrPINNotInitialized, or an
// *Error. With SoftHSM, processes that start at the same moment can disturb
// each other: start one after the other, or see OpenRetrying.
func Open(cfg Config, pin *PIN) (*Token, error) {
	switch {
	case cfg.Label == "" && cfg.Serial == "":
		return nil, fail(ErrTokenNotFound, nil, "no token selected; give its label or its serial number")
	case cfg.Sessions < 0:
		return nil, fmt.Errorf("hsm: %d sessions; give at least 1, or 0 for the default of %d", cfg.Sessions, DefaultSessions)
	case pin.form() == byPIN && pin.empty():
		return nil, fail(ErrPINSource, nil, "the PIN is empty")
	}
	if err := checkAcceptUnknown(cfg.AcceptUnknown); err != nil {
		return nil, err
	}
	if cfg.Sessions == 0 {
		cfg.Sessions = DefaultSessions
	}
	m, err := openModule(cfg)
	if err != nil {
		return nil, err
	}
	t, err := open(m, cfg, pin)
	if err != nil {
		m.release()
		return nil, err
	}
	return t, nil
}

func open(m *module, cfg Config, pin *PIN) (*Token, error) {
	slot, err := selectToken(m.Ctx, cfg)
	if err != nil {
		return nil, err
	}
	keeper, err := m.login(&slot, pin, cfg)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(m.Ctx, slot.id, cfg.Sessions)
	if err != nil {
		keeper.close()
		return nil, err
	}
	t := &Token{module: m, path: cfg.Module, slot: slot, sessions: sessions, copies: newCopies(keeper, cfg.SessionCopies)}
	t.judgement = judgement{unknown: cfg.AcceptUnknown}
	t.direct = newDirect(cfg.Module, keeper)
	t.again = newReentry(cfg, pin)
	t.slot.info.Module, t.judgement.provider = m.describe()
	t.readMechanisms()
	opened.add(t)
	return t, nil
}

// softHSM is the manufacturer of SoftHSM's tokens. When SoftHSM can't read the
// token's file during a login, the login fails before it has looked at the PIN.
const softHSM = "SoftHSM project"

func (t *Token) provider() provider { return t.judgement.provider }

// Info describes the token as it was when it was opened.
func (t *Token) Info() TokenInfo { return t.slot.info }

// PINState asks the token about wrong PINs since this login, such as those of
// another program. Errors: ErrTokenGone, ErrClosed.
func (t *Token) PINState(ctx context.Context) (state PINState, err error) {
	err = t.sessions.with(ctx, func(session) error {
		info, err := t.description()
		if err != nil && t.slot.info.Manufacturer == softHSM {
			state = PINOK // a login of another process; SoftHSM's reads of keys notice if the token is gone
			return nil
		}
		state = pinState(info.Flags)
		return err
	})
	return state, err
}

// Close waits for calls in progress, so it hangs if the module does, and
// releases the module. It logs out only where a quirk asks for that: behind a
// proxy module, a login is other processes' too. A second Close does nothing.
// Keys of a closed token return ErrClosed.
func (t *Token) Close() error {
	t.closed.Do(func() {
		t.admin.Lock()
		defer t.admin.Unlock()
		t.sessions.close()
		t.Abandon()
		t.copies.keeper.close() // which destroys the session copies
		t.again.close()
		opened.remove(t)
		t.module.release()
	})
	return nil
}

// Abandon logs out if only that frees what keys take on the device (see
// quirks.go). It doesn't wait for calls in progress and may hang with the
// module: it is for a process that exits because the module failed, which must
// not Close.
func (t *Token) Abandon() {
	if !t.provider().logoutFrees() || t.slot.info.SharedLogin {
		return
	}
	keeper := t.copies.keeper.handle
	// tpm2-pkcs11 aborts the process if it logs out from a TPM that is gone.
	if _, err := t.module.GenerateRandom(keeper, 1); err == nil {
		_ = t.module.Logout(keeper)
	}
}

// Refresh confirms that the token is still present, and has each key that signs
// through a session copy looked at before its next signature.
//
// A session copy outlives its key: it still signs when the key was destroyed,
// and even when the whole token is gone, and Prove notices neither. So with
// Config.SessionCopies the owner of the Token calls Refresh at an interval.
// That costs one request for the token's description, and one for each key that
// then signs, however many keys there are (BenchmarkRefresh). The next
// signature with a key that is gone returns ErrKeyNotFound. Errors:
// ErrTokenGone, ErrClosed, or an *Error. Success doesn't prove that the token
// can sign: Key.Prove does.
func (t *Token) Refresh(ctx context.Context) error {
	return t.sessions.with(ctx, func(session) error {
		err := t.alive()
		t.copies.doubt()
		return err
	})
}

// alive asks for the token's description: if a token vanishes, SoftHSM's
// sessions stay open and its searches find nothing, and only this fails. Call
// it inside sessions.with.
func (t *Token) alive() error {
	info, err := t.description()
	if err != nil {
		return err
	}
	if now := describe(t.slot.id, info); now.Serial != t.slot.info.Serial {
		return fail(ErrTokenGone, nil, "token %s is gone; its slot now has the token with serial %s", t.slot, now.Serial)
	}
	return nil
}

// descriptionTries and descriptionPause bound how long description asks again.
const (
	descriptionTries = 5
	descriptionPause = 10 * time.Millisecond
)

// description asks the token about itself. SoftHSM fails while the login of
// another process rewrites the token's file, and is asked again: the token is
// gone only if that lasts.
func (t *Token) description() (pkcs11.TokenInfo, error) {
	for n := 1; ; n++ {
		info, err := t.module.GetTokenInfo(t.slot.id)
		if err == nil {
			return info, nil
		}
		err = callError("C_GetTokenInfo", err)
		if n == descriptionTries || t.slot.info.Manufacturer != softHSM || !hasCode(err, pkcs11.CKR_GENERAL_ERROR) {
			return info, fail(ErrTokenGone, err, "token %s is gone%s", t.slot, daemonHint(t.path))
		}
		time.Sleep(descriptionPause)
	}
}
