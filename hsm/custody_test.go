package hsm_test

import (
	"crypto"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
	"github.com/miekg/pkcs11"
)

// held is the custody that a key must have.
func held() hsm.Custody {
	return hsm.Custody{
		Extractable: hsm.False, Sensitive: hsm.True, Private: hsm.True, Sign: hsm.True,
		Decrypt: hsm.False, Unwrap: hsm.False, Derive: hsm.False, SignRecover: hsm.False,
	}
}

func TestCustodyCheck(t *testing.T) {
	if err := held().Check(); err != nil {
		t.Fatalf("a key that is held as it must be: %v", err)
	}
	if err := (hsm.Custody{}).Check(); !errors.Is(err, hsm.ErrCustody) {
		t.Fatalf("a key of which nothing is known: %v", err)
	}
	for attribute, flag := range map[string]func(*hsm.Custody) *hsm.Flag{
		"CKA_EXTRACTABLE":  func(c *hsm.Custody) *hsm.Flag { return &c.Extractable },
		"CKA_SENSITIVE":    func(c *hsm.Custody) *hsm.Flag { return &c.Sensitive },
		"CKA_PRIVATE":      func(c *hsm.Custody) *hsm.Flag { return &c.Private },
		"CKA_SIGN":         func(c *hsm.Custody) *hsm.Flag { return &c.Sign },
		"CKA_DECRYPT":      func(c *hsm.Custody) *hsm.Flag { return &c.Decrypt },
		"CKA_UNWRAP":       func(c *hsm.Custody) *hsm.Flag { return &c.Unwrap },
		"CKA_DERIVE":       func(c *hsm.Custody) *hsm.Flag { return &c.Derive },
		"CKA_SIGN_RECOVER": func(c *hsm.Custody) *hsm.Flag { return &c.SignRecover },
	} {
		for _, wrong := range []hsm.Flag{hsm.Unknown, hsm.False, hsm.True} {
			custody := held()
			if *flag(&custody) == wrong {
				continue
			}
			*flag(&custody) = wrong
			err := custody.Check()
			if !errors.Is(err, hsm.ErrCustody) || !strings.Contains(err.Error(), attribute+" is "+wrong.String()) ||
				strings.Count(err.Error(), "CKA_") != 1 {
				t.Errorf("%s %v: %v", attribute, wrong, err)
			}
		}
	}
}

func TestFlagText(t *testing.T) {
	for _, flag := range []hsm.Flag{hsm.Unknown, hsm.False, hsm.True} {
		text, err := json.Marshal(flag)
		if err != nil {
			t.Fatal(err)
		}
		var back hsm.Flag
		if err := json.Unmarshal(text, &back); err != nil || back != flag {
			t.Errorf("%v came back as %v (%v) from %s", flag, back, err, text)
		}
	}
	if err := new(hsm.Flag).UnmarshalText([]byte("yes")); err == nil {
		t.Error("yes was taken for a flag")
	}
}

// Keys that another tool made with bad attributes are listed with their
// problems, and never sign.
func TestBadKeysAreRefused(t *testing.T) {
	token, soft := open(t, withCopies)
	generate(t, token, "good", hsm.P256)
	bad := map[string]map[uint]bool{
		"CKA_EXTRACTABLE": {pkcs11.CKA_EXTRACTABLE: true},
		"CKA_SENSITIVE":   {pkcs11.CKA_SENSITIVE: false},
		"CKA_PRIVATE":     {pkcs11.CKA_PRIVATE: false},
		"CKA_DECRYPT":     {pkcs11.CKA_DECRYPT: true},
		"CKA_UNWRAP":      {pkcs11.CKA_UNWRAP: true},
		"CKA_DERIVE":      {pkcs11.CKA_DERIVE: true},
		"CKA_SIGN":        {pkcs11.CKA_SIGN: false},
	}
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		for label, attributes := range bad {
			generateRaw(t, ctx, session, label, []byte(label), attributes)
		}
	})
	keys, err := token.Keys()
	if err != nil || len(keys) != len(bad)+1 {
		t.Fatalf("listed %v (%v), want all %d", keys, err, len(bad)+1)
	}
	for _, key := range keys {
		_, signErr := key.Sign(nil, make([]byte, 32), crypto.SHA256)
		if key.Label() == "good" {
			if err := errors.Join(key.Problem(), signErr); err != nil {
				t.Errorf("the good key: %v", err)
			}
			continue
		}
		if !errors.Is(signErr, hsm.ErrCustody) || !strings.Contains(signErr.Error(), key.Label()+" is ") || hsm.IsFatal(signErr) {
			t.Errorf("the key with a bad %s: %v", key.Label(), signErr)
		}
		if key.Public() == nil {
			t.Errorf("the key with a bad %s has no public half, so operators can't recognize it", key.Label())
		}
	}
}

// An attribute that a token doesn't tell doesn't count as good.
func TestTokenThatTellsNothing(t *testing.T) {
	soft, module := softhsm.New(t), faulty.Build(t)
	token := reopen(t, soft, throughModule(t, module))
	generate(t, token, "key", hsm.P256)
	module.Set(t, "C_GetAttributeValue", faulty.Fault{Action: faulty.Return, Code: pkcs11.CKR_ATTRIBUTE_TYPE_INVALID})
	keys, err := token.Keys()
	if err != nil || len(keys) != 1 {
		t.Fatalf("listed %v (%v), want the key", keys, err)
	}
	for _, kind := range []error{hsm.ErrCustody, hsm.ErrUnusable} {
		if err := keys[0].Problem(); !errors.Is(err, kind) {
			t.Errorf("the problem is %v, want also %v", err, kind)
		}
	}
	if _, err := keys[0].Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, hsm.ErrCustody) {
		t.Errorf("it signs: %v", err)
	}
	if _, err := token.Generate(hsm.Spec{Label: "new", Type: hsm.P256}); err == nil {
		t.Error("a new key of which the token tells nothing was accepted")
	}
}

func TestUnusableKeys(t *testing.T) {
	token, soft := open(t)
	whole := generate(t, token, "no public half", hsm.P256)
	rsa := generate(t, token, "public half in the private one", hsm.RSA2048)
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		for _, id := range [][]byte{whole.ID(), rsa.ID()} {
			destroyPublic(t, ctx, session, id)
		}
		generateRaw(t, ctx, session, "two public halves", []byte{1}, nil)
		generateRaw(t, ctx, session, "two public halves", []byte{1}, nil)
	})
	keys, err := token.Keys()
	if err != nil || len(keys) != 4 {
		t.Fatalf("listed %v (%v), want 4 keys", keys, err)
	}
	wanted := map[string]error{
		"no public half": hsm.ErrUnusable, "two public halves": hsm.ErrAmbiguous, "public half in the private one": nil,
	}
	for _, key := range keys {
		if err := key.Problem(); !errors.Is(err, wanted[key.Label()]) || hsm.IsFatal(err) {
			t.Errorf("%s: %v, want %v", key.Label(), err, wanted[key.Label()])
		}
	}
	found, err := token.Find(hsm.Selector{Label: rsa.Label()})
	if err != nil {
		t.Fatal(err)
	}
	if err := found.Prove(t.Context(), ""); err != nil {
		t.Errorf("an RSA key without a public key object: %v", err)
	}
}

func destroyPublic(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle, id []byte) {
	t.Helper()
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PUBLIC_KEY), pkcs11.NewAttribute(pkcs11.CKA_ID, id),
	}
	if err := ctx.FindObjectsInit(session, template); err != nil {
		t.Fatal(err)
	}
	handles, _, err := ctx.FindObjects(session, 1)
	if err := errors.Join(err, ctx.FindObjectsFinal(session), ctx.DestroyObject(session, handles[0])); err != nil {
		t.Fatal(err)
	}
}
