package hsm_test

import (
	"cmp"
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// foreign is a key pair that another tool made, before a provider is imitated.
type foreign struct {
	label, id string
	rsa       bool
	allowed   []uint // CKA_ALLOWED_MECHANISMS
	always    bool   // CKA_ALWAYS_AUTHENTICATE
}

// make makes the pair, with the attributes that assertd wants.
func (f foreign) make(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
	t.Helper()
	names := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_LABEL, f.label), pkcs11.NewAttribute(pkcs11.CKA_ID, []byte(f.id)),
	}
	private := append(slices.Clone(names),
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false), pkcs11.NewAttribute(pkcs11.CKA_SIGN_RECOVER, false))
	if f.always {
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_ALWAYS_AUTHENTICATE, true))
	}
	if f.allowed != nil {
		var list []byte
		for _, mechanism := range f.allowed {
			list = binary.NativeEndian.AppendUint64(list, uint64(mechanism))
		}
		private = append(private, pkcs11.NewAttribute(pkcs11.CKA_ALLOWED_MECHANISMS, list))
	}
	mechanism, public := uint(pkcs11.CKM_EC_KEY_PAIR_GEN), append(slices.Clone(names), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS,
		[]byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}))
	if f.rsa {
		mechanism, public = pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, append(slices.Clone(names), pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, 2048),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}))
	}
	if _, _, err := ctx.GenerateKeyPair(session, []*pkcs11.Mechanism{pkcs11.NewMechanism(mechanism, nil)}, public, private); err != nil {
		t.Fatal(err)
	}
}

// imitated opens a token of SoftHSM through a module that looks like a
// provider's, with key pairs in it.
func imitated(t *testing.T, p faulty.Provider, pairs []foreign, change ...func(*hsm.Config)) (*hsm.Token, *faulty.Module) {
	t.Helper()
	token, soft := open(t)
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		for _, pair := range pairs {
			pair.make(t, ctx, session)
		}
	})
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	module := faulty.Build(t)
	module.Imitate(p)
	return reopen(t, soft, append(change, throughModule(t, module))...), module
}

// Each provider's module is recognized, its keys are judged by what its sources
// say of it, and no key is excused that could do more than sign.
func TestQuirks(t *testing.T) {
	for name, test := range map[string]struct {
		provider  faulty.Provider
		pair      foreign
		alg       string
		excused   string // what its one excuse is about
		refused   string // what its problem says
		imported  bool
		quirk     string // one that is reported
		generates bool
		instead   string // of generating, "assertd key adopt" if empty
	}{
		"Nitrokey NetHSM, EC for signatures": {
			provider: faulty.NetHSM, pair: foreign{label: "a", id: "ec-key", allowed: []uint{pkcs11.CKM_ECDSA}}, alg: "ES256",
			excused: "CKA_DERIVE is true (derive-always-true)", imported: true, quirk: "derive-always-true",
		},
		"Nitrokey NetHSM, EC for anything": {
			provider: faulty.NetHSM, pair: foreign{label: "a", id: "ec-key"}, refused: "CKA_DERIVE is true", imported: true, quirk: "label-is-id",
		},
		"Nitrokey NetHSM, EC that derives": {
			provider: faulty.NetHSM, pair: foreign{label: "a", id: "ec-key", allowed: []uint{pkcs11.CKM_ECDSA, pkcs11.CKM_ECDH1_DERIVE}},
			refused: "CKA_DERIVE is true", imported: true, quirk: "label-is-id",
		},
		"Nitrokey NetHSM, PSS": {
			provider: faulty.NetHSM, pair: foreign{label: "a", id: "rsa-key", rsa: true, allowed: []uint{pkcs11.CKM_RSA_PKCS_PSS}}, alg: "PS256",
			excused: "CKA_DECRYPT is true (decrypt-always-true)", imported: true, quirk: "decrypt-always-true",
		},
		"Nitrokey NetHSM, CKM_RSA_PKCS, which decrypts too": {
			provider: faulty.NetHSM, pair: foreign{label: "a", id: "rsa-key", rsa: true, allowed: []uint{pkcs11.CKM_RSA_PKCS}},
			refused: "CKA_DECRYPT is true", imported: true, quirk: "local-always-false",
		},
		"Google Cloud KMS": {
			provider: faulty.GoogleKMS, pair: foreign{label: "key", id: "projects/p/cryptoKeys/key/cryptoKeyVersions/1"}, alg: "ES256",
			excused: "CKA_PRIVATE is false (private-always-false)", quirk: "versions-share-a-label",
		},
		"AWS CloudHSM": {
			provider: faulty.CloudHSM, pair: foreign{label: "key", id: "1"}, alg: "ES256", excused: "CKA_SIGN_RECOVER is unknown (no-sign-recover)",
			quirk: "slow-to-know", generates: true,
		},
		"Cavium (AWS CloudHSM)": {
			provider: faulty.Cavium, pair: foreign{label: "key", id: "1"}, alg: "ES256", quirk: "slow-to-know", generates: true,
		},
		"Entrust nShield": {provider: faulty.NShield, pair: foreign{label: "key", id: "1"}, alg: "ES256", quirk: "hides-new-keys", generates: true},
		"YubiHSM 2":       {provider: faulty.YubiHSM, pair: foreign{label: "key", id: "1"}, alg: "ES256", quirk: "metadata-objects", generates: true},
		"tpm2-pkcs11":     {provider: faulty.TPM2, pair: foreign{label: "key", id: "1"}, alg: "ES256", quirk: "signs-by-decrypting", generates: true},
		"NSS":             {provider: faulty.NSS, pair: foreign{label: "key", id: "1"}, alg: "ES256", quirk: "local-always-false", imported: true, instead: "accept: imported"},
	} {
		t.Run(name, func(t *testing.T) {
			token, _ := imitated(t, test.provider, []foreign{test.pair}, withCopies)
			about := token.Info().Module
			if provider, _, _ := strings.Cut(name, ","); about.Provider != provider || about.Manufacturer != test.provider.Manufacturer {
				t.Errorf("took the module for %q by %q", about.Provider, about.Manufacturer)
			}
			if !slices.ContainsFunc(about.Quirks, func(q hsm.Quirk) bool { return q.Name == test.quirk && q.Meaning != "" }) {
				t.Errorf("doesn't report %s among %v", test.quirk, about.Quirks)
			}
			key, err := token.Find(hsm.Selector{ID: []byte(test.pair.id)})
			if err != nil {
				t.Fatal(err)
			}
			checkJudged(t, key, test.alg, test.excused, test.refused, test.imported)
			_, err = token.Generate(hsm.Spec{Label: "new/20260101T000000Z", Type: hsm.P256, Alg: "ES256"})
			if (err == nil) != test.generates || err != nil && (hsm.IsFatal(err) || !strings.Contains(err.Error(), cmp.Or(test.instead, "assertd key adopt"))) {
				t.Errorf("generating: %v", err)
			}
		})
	}
}

// NSS's own keys look imported. It makes one for those who accept that, which
// stays so.
func TestGenerateWhereNoKeyIsLocal(t *testing.T) {
	token, module := imitated(t, faulty.NSS, nil)
	spec := hsm.Spec{Label: "new/20260101T000000Z", Type: hsm.P256, Alg: "ES256"}
	_, err := token.Generate(spec)
	if calls := module.Calls(t, "C_GenerateKeyPair"); err == nil || !strings.Contains(err.Error(), "accept: imported") || calls != 0 {
		t.Errorf("generating a key that nobody accepts: %v, after %d calls", err, calls)
	}
	spec.AcceptImported = true
	key, err := token.Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	if key.Problem() != nil || !key.Imported() || key.Custody().Local != hsm.False {
		t.Errorf("made a key with %+v: imported %v, %v", key.Custody(), key.Imported(), key.Problem())
	}
}

// Only NSS's keys are accepted so: what another token doesn't call its own
// isn't.
func TestGeneratedKeyThatIsNotLocal(t *testing.T) {
	imitation := faulty.NSS
	imitation.Manufacturer = "Nobody"
	token, _ := imitated(t, imitation, nil)
	_, err := token.Generate(hsm.Spec{Label: "new/20260101T000000Z", Type: hsm.P256, Alg: "ES256", AcceptImported: true})
	if !errors.Is(err, hsm.ErrCustody) || !strings.Contains(err.Error(), "CKA_LOCAL is false") {
		t.Errorf("generating: %v", err)
	}
}

// A provider that is known is asked for a key pair in its own way at once, so
// it refuses nothing. Another one that behaves like it is asked again.
func TestGenerationTemplates(t *testing.T) {
	for name, test := range map[string]struct {
		provider faulty.Provider
		typ      hsm.KeyType
		unknown  bool // to assertd
		calls    uint64
	}{
		"CloudHSM without SIGN_RECOVER":    {provider: faulty.CloudHSM, typ: hsm.P256, calls: 1},
		"a TPM without VERIFY and ENCRYPT": {provider: faulty.TPM2, typ: hsm.P256, calls: 1},
		"RSA of a TPM":                     {provider: faulty.TPM2, typ: hsm.RSA2048, calls: 1},
		"a module like a TPM's":            {provider: faulty.TPM2, typ: hsm.P256, unknown: true, calls: 2},
		"YubiHSM by the curve's name":      {provider: faulty.YubiHSM, typ: hsm.Ed25519, calls: 1},
		"a module like YubiHSM's":          {provider: faulty.YubiHSM, typ: hsm.Ed25519, unknown: true, calls: 2},
		"YubiHSM for another curve":        {provider: faulty.YubiHSM, typ: hsm.P384, calls: 1},
	} {
		t.Run(name, func(t *testing.T) {
			provider := test.provider
			if test.unknown {
				provider.Manufacturer = "Nobody"
			}
			token, module := imitated(t, provider, nil)
			key, err := token.Generate(hsm.Spec{Label: "new/20260101T000000Z", Type: test.typ})
			if err != nil {
				t.Fatal(err)
			}
			if calls := module.Calls(t, "C_GenerateKeyPair"); calls != test.calls {
				t.Errorf("asked %d times, want %d", calls, test.calls)
			}
			if key.Type() != test.typ || key.Problem() != nil {
				t.Errorf("made %s: %v", key.Type(), key.Problem())
			}
		})
	}
}

// A TPM's module fails without a reason if it would have to decrypt.
func TestKeyThatTheModuleWouldDecryptWith(t *testing.T) {
	token, module := imitated(t, faulty.TPM2, nil)
	module.Set(t, "C_Sign", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR})
	for typ, advises := range map[hsm.KeyType]bool{hsm.RSA2048: true, hsm.P256: false} {
		_, err := token.Generate(hsm.Spec{Label: "new/20260101T000000Z", Type: typ})
		if err == nil || strings.Contains(err.Error(), "use ES256") != advises {
			t.Errorf("%s: %v", typ, err)
		}
	}
}

// A TPM keeps the keys that a process used until it logs out. No other module
// is logged out from: behind a proxy, that would end the login of others too.
func TestLogoutFreesKeys(t *testing.T) {
	for name, test := range map[string]struct {
		provider faulty.Provider
		gone     bool // the device doesn't answer
		logouts  uint64
	}{
		"a TPM":              {provider: faulty.TPM2, logouts: 1},
		"a TPM that is gone": {provider: faulty.TPM2, gone: true},
		"another module":     {provider: faulty.YubiHSM},
	} {
		t.Run(name, func(t *testing.T) {
			token, module := imitated(t, test.provider, nil)
			if test.gone {
				module.Set(t, "C_GenerateRandom", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_GENERAL_ERROR})
			}
			token.Abandon()
			if logouts := module.Calls(t, "C_Logout"); logouts != test.logouts {
				t.Errorf("abandoned with %d logouts, want %d", logouts, test.logouts)
			}
			if err := token.Close(); err != nil {
				t.Fatal(err)
			}
			if logouts := module.Calls(t, "C_Logout"); (logouts > 0) != (test.logouts > 0) {
				t.Errorf("closed with %d logouts", logouts)
			}
		})
	}
}

func checkJudged(t *testing.T, key *hsm.Key, alg, excused, refused string, imported bool) {
	t.Helper()
	if key.Imported() != imported {
		t.Errorf("imported: %v", key.Imported())
	}
	if refused != "" {
		if !errors.Is(key.Problem(), hsm.ErrCustody) || !strings.Contains(key.Problem().Error(), refused) || len(key.Excuses()) > 0 {
			t.Errorf("the problem is %v with excuses %v, want %q", key.Problem(), key.Excuses(), refused)
		}
		return
	}
	var excuses []string
	for _, e := range key.Excuses() {
		excuses = append(excuses, e.String())
	}
	if got := strings.Join(excuses, ", "); got != excused {
		t.Errorf("excused %q, want %q", got, excused)
	}
	if err := errors.Join(key.Problem(), key.Prove(t.Context(), alg)); err != nil {
		t.Error(err)
	}
}

// Versions of a Google key share a label; the ID tells them apart.
func TestVersionsThatShareALabel(t *testing.T) {
	token, _ := imitated(t, faulty.GoogleKMS, []foreign{{label: "key", id: "key/cryptoKeyVersions/1"}, {label: "key", id: "key/cryptoKeyVersions/2"}})
	if _, err := token.Find(hsm.Selector{Label: "key"}); !errors.Is(err, hsm.ErrAmbiguous) || !strings.Contains(err.Error(), "label and ID") {
		t.Errorf("by label: %v", err)
	}
	key, err := token.Find(hsm.Selector{Label: "key", ID: []byte("key/cryptoKeyVersions/2")})
	if err != nil || key.Prove(t.Context(), "ES256") != nil {
		t.Errorf("by label and ID: %v", err)
	}
}

// A cluster that doesn't know a new key yet is asked again, but another token
// isn't.
func TestKeyThatIsNotKnownYet(t *testing.T) {
	for name, test := range map[string]struct {
		provider faulty.Provider
		want     error
	}{"CloudHSM": {faulty.CloudHSM, nil}, "another": {faulty.YubiHSM, &hsm.Error{}}} {
		t.Run(name, func(t *testing.T) {
			token, module := imitated(t, test.provider, []foreign{{label: "key", id: "1"}})
			key, err := token.Find(hsm.Selector{Label: "key"})
			if err != nil {
				t.Fatal(err)
			}
			module.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_KEY_HANDLE_INVALID, Limit: 2})
			if err := key.Prove(t.Context(), ""); (err == nil) != (test.want == nil) {
				t.Errorf("a key that is unknown twice: %v", err)
			}
			module.Set(t, "C_SignInit", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_KEY_HANDLE_INVALID})
			if err := key.Prove(t.Context(), ""); err == nil {
				t.Error("a key that stays unknown signed")
			}
		})
	}
}

// A setting accepts that an attribute is unknown, but not that it is wrong, and
// none of those that keep a key in the token.
func TestAcceptUnknown(t *testing.T) {
	unknown := faulty.Provider{Manufacturer: "Nobody", Library: "in particular", Traits: faulty.CloudHSM.Traits}
	accept := func(names ...string) func(*hsm.Config) { return func(c *hsm.Config) { c.AcceptUnknown = names } }
	pairs := []foreign{{label: "key", id: "1"}}
	token, _ := imitated(t, unknown, pairs)
	key, err := token.Find(hsm.Selector{Label: "key"})
	if err != nil {
		t.Fatal(err)
	}
	checkJudged(t, key, "", "", "CKA_SIGN_RECOVER is unknown", false)
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	token, _ = imitated(t, unknown, pairs, accept("CKA_SIGN_RECOVER", "CKA_PRIVATE"))
	if key, err = token.Find(hsm.Selector{Label: "key"}); err != nil {
		t.Fatal(err)
	}
	checkJudged(t, key, "ES256", "CKA_SIGN_RECOVER is unknown (accept_unknown)", "", false)
	if err := token.Close(); err != nil {
		t.Fatal(err)
	}
	wrong := faulty.Provider{Manufacturer: "Nobody", Traits: faulty.GoogleKMS.Traits}
	token, _ = imitated(t, wrong, pairs, accept("CKA_PRIVATE"))
	if key, err = token.Find(hsm.Selector{Label: "key"}); err != nil {
		t.Fatal(err)
	}
	checkJudged(t, key, "", "", "CKA_PRIVATE is false", false)
	for _, never := range []string{"CKA_SENSITIVE", "CKA_EXTRACTABLE", "CKA_NEVER_EXTRACTABLE", "CKA_WRAP", "CKA_UNWRAP", "CKA_NONSENSE"} {
		soft := softhsm.New(t)
		if _, err := hsm.Open(hsm.Config{Module: soft.Module, Label: soft.Label, AcceptUnknown: []string{never}}, hsm.NewPIN([]byte(soft.PIN))); err == nil {
			t.Errorf("%s was accepted", never)
		}
	}
}

// A key signs only with the mechanisms that its CKA_ALLOWED_MECHANISMS has.
func TestAllowedMechanisms(t *testing.T) {
	token, soft := open(t)
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		foreign{label: "pss", id: "1", rsa: true, allowed: []uint{pkcs11.CKM_RSA_PKCS_PSS}}.make(t, ctx, session)
		foreign{label: "hashed", id: "2", rsa: true, allowed: []uint{pkcs11.CKM_SHA256_RSA_PKCS}}.make(t, ctx, session)
	})
	for label, algs := range map[string]map[string]bool{
		"pss": {"PS256": true, "RS256": false}, "hashed": {"RS256": true, "PS256": false, "RS384": false},
	} {
		key, err := token.Find(hsm.Selector{Label: label})
		if err != nil {
			t.Fatal(err)
		}
		for alg, signs := range algs {
			err := key.Prove(t.Context(), alg)
			if (err == nil) != signs || err != nil && (!errors.Is(err, hsm.ErrAlgorithm) || !strings.Contains(err.Error(), "CKA_ALLOWED_MECHANISMS")) {
				t.Errorf("%s with %s: %v", label, alg, err)
			}
		}
	}
}
