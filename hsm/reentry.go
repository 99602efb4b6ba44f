package hsm

import (
	"sync"

	"github.com/miekg/pkcs11"
)

// reentry enters the PIN again for keys with CKA_ALWAYS_AUTHENTICATE: between
// C_SignInit and C_Sign, once for each signature. So the PIN stays in this
// process's memory.
type reentry struct {
	mu      sync.Mutex // one attempt at a time, since a wrong PIN must be the last
	pin     *PIN
	refused error
}

// newReentry is nil unless the configuration allows such keys.
func newReentry(cfg Config, pin *PIN) *reentry {
	if !cfg.AlwaysAuthenticate || pin.form() != byPIN {
		return nil
	}
	secret := pin.Reveal()
	defer clear(secret)
	return &reentry{pin: NewPIN(secret)}
}

// enter logs in for the operation that was started in the session. A refused
// PIN is never tried again.
func (r *reentry) enter(s session) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refused != nil {
		return r.refused
	}
	err := callError("C_Login", s.ctx.Login(s.handle, pkcs11.CKU_CONTEXT_SPECIFIC, r.pin.view()))
	if err != nil {
		r.refused = err
	}
	return err
}

func (r *reentry) close() {
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.pin.Zero()
	}
}
