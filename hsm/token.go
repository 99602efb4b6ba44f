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
	slot     slot
	sessions *sessions
	copies   *copies
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
// is open, because the module would accept any PIN.
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
	case pin.empty():
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
	keeper, err := login(m.Ctx, slot, pin, cfg.RetryPIN)
	if err != nil {
		return nil, err
	}
	sessions, err := newSessions(m.Ctx, slot.id, cfg.Sessions)
	if err != nil {
		keeper.close()
		return nil, err
	}
	t := &Token{module: m, slot: slot, sessions: sessions, copies: newCopies(keeper, cfg.SessionCopies)}
	t.judgement = judgement{unknown: cfg.AcceptUnknown}
	t.slot.info.Module, t.judgement.provider = m.describe()
	t.readMechanisms()
	return t, nil
}

// login returns the keeper, a session that stays open as long as the token:
// closing the last session would end the login.
func login(ctx *pkcs11.Ctx, slot slot, pin *PIN, retry bool) (session, error) {
	if err := mayLogIn(slot, retry); err != nil {
		return session{}, err
	}
	s, err := openSession(ctx, slot.id)
	if err != nil {
		return session{}, err
	}
	if err := callError("C_Login", ctx.Login(s.handle, pkcs11.CKU_USER, pin.view())); err != nil {
		s.close()
		return session{}, loginError(slot, err, stateAfter(ctx, slot))
	}
	return s, nil
}

// mayLogIn returns why the PIN must not be tried, by the token's flags.
func mayLogIn(slot slot, retry bool) error {
	switch state := pinState(slot.flags); {
	case slot.flags&pkcs11.CKF_USER_PIN_INITIALIZED == 0:
		return fail(ErrPINNotInitialized, nil, "token %s has no user PIN; its security officer must set one", slot)
	case state == PINLocked:
		return fail(ErrPINLocked, nil, "token %s has locked its PIN after wrong attempts, so it wasn't tried; its "+
			"security officer must unlock it, or in a TPM time does", slot)
	case state == PINFinalTry && !retry:
		return fail(ErrPINFinalTry, nil, "token %s reports that one more wrong PIN locks it, so the PIN wasn't tried; "+
			"check the PIN, then run assertd key list --retry-pin, which tries it once", slot)
	}
	return nil
}

// stateAfter is the token's PIN state after a login failed.
func stateAfter(ctx *pkcs11.Ctx, slot slot) PINState {
	info, err := ctx.GetTokenInfo(slot.id)
	if err != nil {
		return PINOK
	}
	return pinState(info.Flags)
}

func loginError(slot slot, err error, after PINState) error {
	switch {
	case hasCode(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN):
		return fmt.Errorf("hsm: this process already has token %s open, so the PIN can't be checked: %w", slot, err)
	case hasCode(err, pkcs11.CKR_PIN_LOCKED):
		return fail(ErrPINLocked, err, "token %s has locked its PIN; its security officer must unlock it, or in a TPM time does", slot)
	case hasCode(err, pkcs11.CKR_PIN_EXPIRED):
		return fail(ErrPINIncorrect, err, "the PIN of token %s has expired; set a new one with the vendor's tool", slot)
	case hasCode(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE):
		return fail(ErrPINIncorrect, err, "token %s refused the PIN, which was tried once and isn't tried again because "+
			"that could lock the token%s; correct the PIN where it is stored", slot, after.consequence())
	case hasCode(err, pkcs11.CKR_GENERAL_ERROR) && slot.info.Manufacturer == softHSM:
		return fail(ErrPINNotInitialized, err, "token %s could not read its own file, which another process may have been writing; try again", slot)
	}
	return err
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
// releases the module. It doesn't log out: a login belongs to the whole
// process. A second Close does nothing. Keys of a closed token return
// ErrClosed.
func (t *Token) Close() error {
	t.closed.Do(func() {
		t.admin.Lock()
		defer t.admin.Unlock()
		t.sessions.close()
		t.copies.keeper.close() // which destroys the session copies
		t.module.release()
	})
	return nil
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
			return info, fail(ErrTokenGone, err, "token %s is gone%s", t.slot, daemonHint(t.module.path))
		}
		time.Sleep(descriptionPause)
	}
}
