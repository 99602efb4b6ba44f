package hsm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// slot is a slot with an initialised token in it.
type slot struct {
	id    uint
	flags uint
	info  TokenInfo
}

func (s slot) String() string { return fmt.Sprintf("%q (serial %s)", s.info.Label, s.info.Serial) }

// slots lists the initialised tokens. Slots that don't answer are counted and left out: an absent token of another
// application stays listed by some modules.
func slots(ctx *pkcs11.Ctx) (found []slot, silent int, err error) {
	ids, err := ctx.GetSlotList(true)
	if err != nil {
		return nil, 0, callError("C_GetSlotList", err)
	}
	for _, id := range ids {
		info, err := ctx.GetTokenInfo(id)
		switch {
		case err != nil:
			silent++
		case info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0:
			found = append(found, slot{id: id, flags: info.Flags, info: describe(id, info)})
		}
	}
	return found, silent, nil
}

func describe(id uint, info pkcs11.TokenInfo) TokenInfo {
	return TokenInfo{
		Label: trim(info.Label), Serial: trim(info.SerialNumber),
		Manufacturer: trim(info.ManufacturerID), Model: trim(info.Model),
		Firmware: fmt.Sprintf("%d.%d", info.FirmwareVersion.Major, info.FirmwareVersion.Minor),
		Slot:     id,
	}
}

// trim takes off the padding: spaces by the standard, NULs by habit of some modules.
func trim(padded string) string { return strings.TrimRight(padded, " \x00") }

// selectToken finds the one token that has the label and the serial number asked for.
func selectToken(ctx *pkcs11.Ctx, cfg Config) (slot, error) {
	all, silent, err := slots(ctx)
	if err != nil {
		return slot{}, err
	}
	var fitting []slot
	for _, s := range all {
		if (cfg.Label == "" || s.info.Label == cfg.Label) && (cfg.Serial == "" || s.info.Serial == cfg.Serial) {
			fitting = append(fitting, s)
		}
	}
	switch len(fitting) {
	case 1:
		return fitting[0], nil
	case 0:
		return slot{}, fail(ErrTokenNotFound, nil, "no token with %s: %s", wanted(cfg), sighted(all, silent))
	}
	return slot{}, fail(errors.Join(ErrTokenNotFound, ErrAmbiguous), nil,
		"%d tokens have %s: %s; name the one you mean by its serial number", len(fitting), wanted(cfg), list(fitting))
}

func wanted(cfg Config) string {
	switch {
	case cfg.Serial == "":
		return fmt.Sprintf("label %q", cfg.Label)
	case cfg.Label == "":
		return fmt.Sprintf("serial %q", cfg.Serial)
	}
	return fmt.Sprintf("label %q and serial %q", cfg.Label, cfg.Serial)
}

// sighted says what the module shows instead, for that is mostly a spelling mistake or the wrong module configuration.
func sighted(all []slot, silent int) string {
	text := "the module shows no token at all; see that it is configured, and readable, for this user"
	if len(all) > 0 {
		text = "the module shows " + list(all)
	}
	if silent > 0 {
		text += fmt.Sprintf("; %d slots don't answer", silent)
	}
	return text
}

func list(all []slot) string {
	names := make([]string, len(all))
	for i, s := range all {
		names[i] = s.String()
	}
	return strings.Join(names, ", ")
}
