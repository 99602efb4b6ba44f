package hsm

import (
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/trustpath"
	"github.com/miekg/pkcs11"
)

// maxLabel is the length of CK_TOKEN_INFO.label in bytes.
const maxLabel = 32

// InitToken initializes a token in a free slot, for development and tests:
// C_InitToken with the security officer's PIN, then C_InitPIN with the user's.
// The PINs reach the module in memory, never through command-line arguments. It
// refuses a label that is taken, and never reinitializes a token.
func InitToken(modulePath, label string, soPIN, pin *PIN) (serial string, err error) {
	switch {
	case label == "" || len(label) > maxLabel:
		return "", fmt.Errorf("hsm: token label %q; use one of 1 to %d bytes", label, maxLabel)
	case soPIN.empty() || pin.empty():
		return "", fail(ErrPINSource, nil, "a PIN for the new token is empty")
	}
	ctx, err := loadModule(modulePath, trustpath.Rules{})
	if err != nil {
		return "", err
	}
	m, err := initialize(ctx, modulePath)
	if err != nil {
		return "", err
	}
	defer m.release()
	return m.initToken(label, soPIN, pin)
}

func (m *module) initToken(label string, soPIN, pin *PIN) (string, error) {
	if _, err := selectToken(m.Ctx, Config{Label: label}); err == nil || errors.Is(err, ErrAmbiguous) {
		return "", fmt.Errorf("hsm: a token %q already exists; choose another label", label)
	}
	free, err := m.freeSlot()
	if err != nil {
		return "", err
	}
	if err := callError("C_InitToken", m.InitToken(free, soPIN.view(), label)); err != nil {
		return "", err
	}
	made, err := selectToken(m.Ctx, Config{Label: label}) // its slot may have another number now
	if err != nil {
		return "", err
	}
	return made.info.Serial, m.initPIN(made.id, soPIN, pin)
}

func (m *module) freeSlot() (uint, error) {
	ids, err := m.GetSlotList(true)
	if err != nil {
		return 0, callError("C_GetSlotList", err)
	}
	for _, id := range ids {
		if info, err := m.GetTokenInfo(id); err == nil && info.Flags&pkcs11.CKF_TOKEN_INITIALIZED == 0 {
			return id, nil
		}
	}
	return 0, errors.New("hsm: the module has no free slot for a new token")
}

// initPIN closes its session when done, which ends the security officer's
// login.
func (m *module) initPIN(slot uint, soPIN, pin *PIN) error {
	s, err := openSession(m.Ctx, slot)
	if err != nil {
		return err
	}
	defer s.close()
	if err := m.Login(s.handle, pkcs11.CKU_SO, soPIN.view()); err != nil {
		return callError("C_Login", err)
	}
	return callError("C_InitPIN", m.InitPIN(s.handle, pin.view()))
}
