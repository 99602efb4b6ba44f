// Command foreignkey generates key pairs on a SoftHSM token that assertd itself
// would never generate. Test scripts use it to show which keys assertd refuses.
package main

import (
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/miekg/pkcs11"
)

type spec struct {
	module, token, pinFile, label string
	extractable, decrypt          bool
	rsa                           int
}

func main() {
	var s spec
	flag.StringVar(&s.module, "module", "/usr/lib/softhsm/libsofthsm2.so", "the PKCS#11 `module`")
	flag.StringVar(&s.token, "token", "", "the token's `label`")
	flag.StringVar(&s.pinFile, "pin-file", "", "the `file` with the user's PIN")
	flag.StringVar(&s.label, "label", "", "the key's `label`")
	flag.BoolVar(&s.extractable, "extractable", false, "allow the private key to leave the token")
	flag.BoolVar(&s.decrypt, "decrypt", false, "allow the private key to decrypt")
	flag.IntVar(&s.rsa, "rsa", 0, "generate an RSA key of this many `bits` instead of P-256")
	flag.Parse()
	if err := s.generate(); err != nil {
		fmt.Fprintln(os.Stderr, "foreignkey:", err)
		os.Exit(1)
	}
}

func (s spec) generate() error {
	pin, err := os.ReadFile(s.pinFile)
	if err != nil {
		return err
	}
	ctx := pkcs11.New(s.module)
	if ctx == nil {
		return fmt.Errorf("no module at %s", s.module)
	}
	if err := ctx.Initialize(); err != nil {
		return err
	}
	defer ctx.Finalize()
	slot, err := slotOf(ctx, s.token)
	if err != nil {
		return err
	}
	session, err := ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		return err
	}
	if err := ctx.Login(session, pkcs11.CKU_USER, strings.TrimSpace(string(pin))); err != nil {
		return err
	}
	mechanism, public := s.public()
	_, _, err = ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{mechanism}, public, s.private())
	return err
}

func slotOf(ctx *pkcs11.Ctx, token string) (uint, error) {
	slots, err := ctx.GetSlotList(true)
	if err != nil {
		return 0, err
	}
	for _, slot := range slots {
		if info, err := ctx.GetTokenInfo(slot); err == nil && info.Label == token {
			return slot, nil
		}
	}
	return 0, fmt.Errorf("no token %q", token)
}

func (s spec) names() []*pkcs11.Attribute {
	return []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, s.label),
		pkcs11.NewAttribute(pkcs11.CKA_ID, fmt.Appendf(nil, "%d", os.Getpid())),
	}
}

func (s spec) public() (*pkcs11.Mechanism, []*pkcs11.Attribute) {
	if s.rsa > 0 {
		return pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil), append(s.names(),
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, s.rsa), pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	return pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil), append(s.names(), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
}

func (s spec) private() []*pkcs11.Attribute {
	return append(s.names(),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, s.extractable), pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, s.decrypt),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN_RECOVER, false))
}
