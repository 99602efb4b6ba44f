package hsm

import (
	"fmt"

	"github.com/assertd/assertd/internal/trustpath"
	"github.com/miekg/pkcs11"
)

// Description is what a module says about itself and its slots, without a
// login.
type Description struct {
	Module ModuleInfo        `json:"module"`
	Slots  []SlotDescription `json:"slots"`
}

// SlotDescription is a slot and the token in it.
type SlotDescription struct {
	Slot         uint              `json:"slot"` // in this process; it doesn't identify the token
	Text         string            `json:"description"`
	Manufacturer string            `json:"manufacturer"`
	Token        *TokenDescription `json:"token,omitempty"` // nil if there is none, or it doesn't answer
	Problem      string            `json:"problem,omitempty"`
}

// TokenDescription is what a token says about itself. Limits are 0 if the token
// has none or doesn't tell.
type TokenDescription struct {
	Label        string      `json:"label"`
	Serial       string      `json:"serial"`
	Manufacturer string      `json:"manufacturer"`
	Model        string      `json:"model"`
	Firmware     string      `json:"firmware"`
	PIN          PINState    `json:"pin"`
	MinPIN       uint        `json:"min_pin,omitempty"` // bytes
	MaxPIN       uint        `json:"max_pin,omitempty"`
	Sessions     uint        `json:"sessions,omitempty"` // at the same time
	Flags        []string    `json:"flags"`
	Makes        string      `json:"makes"`
	Offers       []Offer     `json:"offers"`
	Mechanisms   []Mechanism `json:"mechanisms"`
}

// Describe loads a module and asks it what it has. It logs in nowhere and
// changes nothing. It calls step before each step that could hang, such as
// with "in C_Initialize". Errors: ErrModule, or an *Error.
func Describe(path string, step func(string)) (Description, error) {
	step("loading " + path)
	ctx, err := loadModule(path, trustpath.Rules{})
	if err != nil {
		return Description{}, err
	}
	step("in C_Initialize")
	m, err := initialize(ctx, path)
	if err != nil {
		return Description{}, err
	}
	step("in C_GetSlotList")
	ids, err := m.GetSlotList(false)
	if err != nil {
		return Description{}, callError("C_GetSlotList", err)
	}
	d := Description{Slots: []SlotDescription{}}
	d.Module, _ = m.describe()
	for _, id := range ids {
		step(fmt.Sprintf("describing slot %d", id))
		d.Slots = append(d.Slots, m.describeSlot(id))
	}
	step("in C_Finalize")
	m.release()
	return d, nil
}

func (m *module) describeSlot(id uint) SlotDescription {
	d := SlotDescription{Slot: id}
	info, err := m.GetSlotInfo(id)
	if err != nil {
		d.Problem = callError("C_GetSlotInfo", err).Error()
		return d
	}
	d.Text, d.Manufacturer = trim(info.SlotDescription), trim(info.ManufacturerID)
	if info.Flags&pkcs11.CKF_TOKEN_PRESENT == 0 {
		return d
	}
	token, err := m.GetTokenInfo(id)
	if err != nil {
		d.Problem = callError("C_GetTokenInfo", err).Error()
		return d
	}
	d.Token = describeToken(id, token)
	list, err := m.mechanismList(id)
	if err != nil {
		d.Problem = err.Error()
		return d
	}
	d.Token.Mechanisms, d.Token.Offers, d.Token.Makes = list, offersOf(list), makes(list)
	return d
}

func describeToken(id uint, info pkcs11.TokenInfo) *TokenDescription {
	of := describe(id, info)
	return &TokenDescription{
		Label: of.Label, Serial: of.Serial, Manufacturer: of.Manufacturer, Model: of.Model, Firmware: of.Firmware, PIN: of.PIN,
		MinPIN: limit(info.MinPinLen), MaxPIN: limit(info.MaxPinLen), Sessions: limit(info.MaxSessionCount), Flags: namesIn(info.Flags, tokenFlags),
	}
}

// limit leaves out CK_UNAVAILABLE_INFORMATION.
func limit(n uint) uint {
	if n == ^uint(0) {
		return 0
	}
	return n
}

// tokenFlags are the flags of a token (CK_TOKEN_INFO) that say how to use it.
var tokenFlags = []flagName{
	{pkcs11.CKF_TOKEN_INITIALIZED, "initialized"}, {pkcs11.CKF_USER_PIN_INITIALIZED, "user PIN set"},
	{pkcs11.CKF_LOGIN_REQUIRED, "login required"}, {pkcs11.CKF_PROTECTED_AUTHENTICATION_PATH, "PIN pad"},
	{pkcs11.CKF_WRITE_PROTECTED, "write protected"},
}
