package hsm

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// Token is an open token, logged in. Its methods may be called from many goroutines; none of them can be cancelled once
// the module has the call, for PKCS#11 has no way to.
type Token struct {
	module   *module
	slot     slot
	sessions *sessions
	copies   *copies
	seen     atomic.Bool // a key was seen on the token, so that an empty token is suspicious

	// admin is held for writing by what changes the token's objects and for reading by what searches them: SoftHSM's
	// searches fail while another thread generates.
	admin  sync.RWMutex
	closed sync.Once
}

// Open opens a token and logs in, with one C_Login and never a second: a PIN that is refused is not tried again, and a
// token that reports its PIN as locked or missing isn't asked at all. The caller clears pin afterwards.
//
// A process opens a token once. A second Open while the first is open is refused, because the module would then accept
// any PIN.
//
// Errors: ErrModule, ErrTokenNotFound (with ErrAmbiguous if two tokens fit), ErrPINIncorrect, ErrPINLocked,
// ErrPINNotInitialized, or an *Error. Starts of several processes at the same moment can disturb each other in SoftHSM:
// start one after the other.
func Open(cfg Config, pin *PIN) (*Token, error) {
	switch {
	case cfg.Label == "" && cfg.Serial == "":
		return nil, fail(ErrTokenNotFound, nil, "no token named: give its label or its serial number")
	case cfg.Sessions < 0:
		return nil, fmt.Errorf("hsm: %d sessions: give at least 1, or 0 for the default of %d", cfg.Sessions, DefaultSessions)
	case pin.empty():
		return nil, fail(ErrPINSource, nil, "the PIN is empty")
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
	keeper, err := login(m.Ctx, slot, pin)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(m.Ctx, slot.id, cfg.Sessions)
	if err != nil {
		keeper.close()
		return nil, err
	}
	return &Token{module: m, slot: slot, sessions: sessions, copies: newCopies(keeper, cfg.SessionCopies)}, nil
}

// login gives the session that stays open as long as the token: with a token's last session its login would end.
func login(ctx *pkcs11.Ctx, slot slot, pin *PIN) (session, error) {
	switch {
	case slot.flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return session{}, fail(ErrPINNotInitialized, nil, "token %s has no user PIN: its security officer has to set one", slot)
	case slot.flags&pkcs11.CKF_USER_PIN_LOCKED != 0:
		return session{}, fail(ErrPINLocked, nil, "token %s has locked its PIN after wrong ones: its security officer has to "+
			"unlock it; nothing was tried", slot)
	}
	s, err := openSession(ctx, slot.id)
	if err != nil {
		return session{}, err
	}
	if err := loginError(slot, callError("C_Login", ctx.Login(s.handle, pkcs11.CKU_USER, pin.view()))); err != nil {
		s.close()
		return session{}, err
	}
	return s, nil
}

func loginError(slot slot, err error) error {
	switch {
	case err == nil:
		return nil
	case hasCode(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return fmt.Errorf("hsm: this process has token %s open already, so the PIN can't be checked: open it once: %w", slot, err)
	case hasCode(err, pkcs11.CKR_PIN_LOCKED):
		return fail(ErrPINLocked, err, "token %s has locked its PIN: its security officer has to unlock it", slot)
	case hasCode(err, pkcs11.CKR_PIN_EXPIRED):
		return fail(ErrPINIncorrect, err, "the PIN of token %s has expired: set a new one with the HSM's own tool", slot)
	case hasCode(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE):
		return fail(ErrPINIncorrect, err, "token %s refused the PIN; it was tried once and is not tried again, since that "+
			"could lock the token: correct the PIN where it is kept", slot)
	}
	return err
}

// Info describes the token as it was when it was opened.
func (t *Token) Info() TokenInfo { return t.slot.info }

// Close waits for the calls under way, so it can hang if the module does, and lets go of the module. It doesn't log out:
// a login belongs to the whole process. A second Close does nothing. Keys of a closed token answer ErrClosed.
func (t *Token) Close() error {
	t.closed.Do(func() {
		t.admin.Lock()
		defer t.admin.Unlock()
		t.sessions.close()
		t.copies.keeper.close() // and the session copies with it
		t.module.release()
	})
	return nil
}

// Refresh confirms that the token is still there, and that the keys which sign through session copies still are.
//
// A session copy outlives what it was made from: it goes on signing when its key was destroyed, and even when the whole
// token is gone, so that Prove notices neither. With Config.SessionCopies the owner of the Token therefore calls Refresh
// at an interval; it costs a description of the token and, once something was signed, one search (BenchmarkRefresh).
// Copies of keys that are gone are dropped, and their next signature answers ErrKeyNotFound. While a key is generated or
// destroyed there is no search, since an RSA key may take many seconds: the next call makes up for it.
// Errors: ErrTokenGone, ErrClosed, or an *Error. That it succeeds isn't proof that the token can sign: Key.Prove is.
func (t *Token) Refresh(ctx context.Context) error {
	idle := t.admin.TryRLock()
	if idle {
		defer t.admin.RUnlock()
	}
	return t.sessions.with(ctx, func(s session) error {
		if err := t.alive(); err != nil || !idle || t.copies.none() {
			return err
		}
		handles, err := s.find(privateKeys())
		if err != nil {
			return err
		}
		t.copies.keep(handles)
		return nil
	})
}

// alive asks for the token's description: where a token vanishes, SoftHSM's sessions stay open and its searches find
// nothing, and only this fails. Call it within sessions.with.
func (t *Token) alive() error {
	info, err := t.module.GetTokenInfo(t.slot.id)
	if err != nil {
		return fail(ErrTokenGone, callError("C_GetTokenInfo", err), "token %s is gone", t.slot)
	}
	if now := describe(t.slot.id, info); now.Serial != t.slot.info.Serial {
		return fail(ErrTokenGone, nil, "token %s is gone: its slot now has the one with serial %s", t.slot, now.Serial)
	}
	return nil
}
