package hsm

import (
	"fmt"
	"sync"

	"github.com/miekg/pkcs11"
)

// loginForm is how a token is logged in to.
type loginForm uint8

const (
	byPIN  loginForm = iota
	byPad            // a person enters the PIN on the token's own pad
	byNone           // the token needs no login
)

// login returns the keeper, a session that stays open as long as the token:
// closing the last session would end the login.
func (m *module) login(slot *slot, pin *PIN, cfg Config) (session, error) {
	if err := mayLogIn(*slot, pin.form(), cfg.RetryPIN); err != nil {
		return session{}, err
	}
	s, err := openSession(m.Ctx, slot.id)
	if err != nil || pin.form() == byNone {
		return s, err
	}
	err = m.enter(s, cfg.Module, pin)
	if hasCode(err, pkcs11.CKR_USER_ALREADY_LOGGED_IN) && !opened.has(cfg.Module, slot.info.Serial) {
		slot.info.SharedLogin = true
		return s, nil
	}
	if err != nil {
		s.close()
		return session{}, loginError(*slot, err, stateAfter(m.Ctx, *slot))
	}
	return s, nil
}

// enter makes one C_Login.
func (m *module) enter(s session, path string, pin *PIN) error {
	if pin.form() == byPad {
		return callError("C_Login", padLogin(path, s.handle, pkcs11.CKU_USER))
	}
	return callError("C_Login", m.Login(s.handle, pkcs11.CKU_USER, pin.view()))
}

// opened are the tokens that this process has open. A login belongs to the
// whole process, so only this tells whose an existing one is.
var opened = openTokens{serials: map[string]bool{}}

type openTokens struct {
	mu      sync.Mutex
	serials map[string]bool // by module and serial number
}

func (o *openTokens) add(t *Token)    { o.set(t, true) }
func (o *openTokens) remove(t *Token) { o.set(t, false) }

func (o *openTokens) set(t *Token, open bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.serials[t.path+"\x00"+t.slot.info.Serial] = open
}

func (o *openTokens) has(path, serial string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.serials[path+"\x00"+serial]
}

// mayLogIn returns why the PIN must not be tried, by the token's flags.
func mayLogIn(slot slot, form loginForm, retry bool) error {
	has := func(flag uint) bool { return slot.flags&flag != 0 }
	switch state := pinState(slot.flags); {
	case form == byNone && has(pkcs11.CKF_LOGIN_REQUIRED):
		return fail(ErrPINSource, nil, "token %s requires a login; set hsm.pin to where its PIN is", slot)
	case form == byNone:
		return nil
	case form == byPad && !has(pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH):
		return fail(ErrPINSource, nil, "token %s has no PIN pad; set hsm.pin to where its PIN is", slot)
	case !has(pkcs11.CKF_USER_PIN_INITIALIZED):
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
	if slot.flags&pkcs11.CKF_LOGIN_REQUIRED == 0 {
		return fmt.Errorf("hsm: token %s needs no login; set pin: none: %w", slot, err)
	}
	return err
}
