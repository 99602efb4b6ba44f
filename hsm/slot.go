package hsm

import (
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// slot is a slot with an initialized token.
type slot struct {
	id    uint
	flags uint
	info  TokenInfo
}

func (s slot) String() string { return fmt.Sprintf("%q (serial %s)", s.info.Label, s.info.Serial) }

// slots lists the initialized tokens. Slots that don't answer are only counted:
// some modules still list another application's token after it was removed.
func slots(ctx *pkcs11.Ctx) (found []slot, unresponsive int, err error) {
	ids, err := ctx.GetSlotList(true)
	if err != nil {
		return nil, 0, callError("C_GetSlotList", err)
	}
	for _, id := range ids {
		info, err := ctx.GetTokenInfo(id)
		switch {
		case err != nil:
			unresponsive++
		case info.Flags&pkcs11.CKF_TOKEN_INITIALIZED != 0:
			found = append(found, slot{id: id, flags: info.Flags, info: describe(id, info)})
		}
	}
	return found, unresponsive, nil
}

func describe(id uint, info pkcs11.TokenInfo) TokenInfo {
	return TokenInfo{
		Label: trim(info.Label), Serial: trim(info.SerialNumber),
		Manufacturer: trim(info.ManufacturerID), Model: trim(info.Model),
		Firmware: fmt.Sprintf("%d.%d", info.FirmwareVersion.Major, info.FirmwareVersion.Minor),
		Slot:     id,
		PIN:      pinState(info.Flags),
	}
}

// trim removes the padding: spaces by the standard, NULs in some modules.
func trim(padded string) string { return strings.TrimRight(padded, " \x00") }

// selectToken finds the one token with the configured label and serial number.
func selectToken(ctx *pkcs11.Ctx, cfg Config) (slot, error) {
	all, unresponsive, err := slots(ctx)
	if err != nil {
		return slot{}, err
	}
	var matches []slot
	for _, s := range all {
		if (cfg.Label == "" || s.info.Label == cfg.Label) && (cfg.Serial == "" || s.info.Serial == cfg.Serial) {
			matches = append(matches, s)
		}
	}
	switch len(matches) {
	case 1:
		return matches[0], nil
	case 0:
		return slot{}, fail(ErrTokenNotFound, nil, "no token with %s: %s", selection(cfg), visible(all, unresponsive, cfg.Module))
	}
	return slot{}, fail(errors.Join(ErrTokenNotFound, ErrAmbiguous), nil,
		"%d tokens have %s: %s; select one by its serial number", len(matches), selection(cfg), list(matches))
}

func selection(cfg Config) string {
	switch {
	case cfg.Serial == "":
		return fmt.Sprintf("label %q", cfg.Label)
	case cfg.Label == "":
		return fmt.Sprintf("serial %q", cfg.Serial)
	}
	return fmt.Sprintf("label %q and serial %q", cfg.Label, cfg.Serial)
}

// visible says which tokens the module shows instead: mostly the label is
// misspelled or the module reads the wrong configuration.
func visible(all []slot, unresponsive int, module string) string {
	text := "the module shows " + list(all)
	if len(all) == 0 {
		text = "the module shows no tokens; check that it is configured for this user, who must be able to read its files" + daemonHint(module)
	}
	if unresponsive > 0 {
		text += fmt.Sprintf("; %d slots don't answer", unresponsive)
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
