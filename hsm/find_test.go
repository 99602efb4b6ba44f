package hsm_test

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/miekg/pkcs11"
)

// destroyerLabel makes the test binary destroy the key with that label, as
// another process.
const destroyerLabel = "HSM_TEST_DESTROY"

func TestMain(m *testing.M) {
	if label := os.Getenv(destroyerLabel); label != "" {
		os.Exit(destroyer(label))
	}
	os.Exit(m.Run())
}

func destroyer(label string) int {
	token, err := hsm.Open(hsm.Config{Module: os.Args[1], Label: os.Args[2]}, hsm.NewPIN([]byte(os.Getenv("HSM_TEST_PIN"))))
	if err != nil {
		return 1
	}
	defer token.Close()
	key, err := token.Find(hsm.Selector{Label: label})
	if err != nil || token.Destroy(key) != nil {
		return 1
	}
	return 0
}

// destroyElsewhere destroys a key from another process.
func destroyElsewhere(t *testing.T, soft *softhsm.Token, label string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, os.Args[0], soft.Module, soft.Label)
	command.Env = append(os.Environ(), destroyerLabel+"="+label, "HSM_TEST_PIN="+soft.PIN)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("destroying %s from another process: %v: %s", label, err, out)
	}
}

// raw does things to the token that this package wouldn't, through the module
// that the token has open.
func raw(t *testing.T, token *hsm.Token, soft *softhsm.Token, do func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle)) {
	t.Helper()
	ctx := pkcs11.New(soft.Module)
	defer ctx.Destroy()
	session, err := ctx.OpenSession(token.Info().Slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	defer ctx.CloseSession(session)
	do(ctx, session)
}

func TestFind(t *testing.T) {
	token, soft := open(t, withCopies)
	one := generate(t, token, "one", hsm.P256)
	two := generate(t, token, "two", hsm.Ed25519)
	if err := errors.Join(one.Prove(t.Context(), ""), two.Prove(t.Context(), "")); err != nil { // makes session copies
		t.Fatal(err)
	}
	// A second key with the first one's label, which Generate wouldn't make.
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		generateRaw(t, ctx, session, "one", []byte{1}, nil)
		generateRaw(t, ctx, session, "three", []byte{3}, nil)
		generateRaw(t, ctx, session, "three", []byte{3}, nil)
	})
	for name, test := range map[string]struct {
		selector hsm.Selector
		want     []byte
		kind     error
	}{
		"by ID":           {hsm.Selector{ID: one.ID()}, one.ID(), nil},
		"by label":        {hsm.Selector{Label: "two"}, two.ID(), nil},
		"by both":         {hsm.Selector{Label: "one", ID: []byte{1}}, []byte{1}, nil},
		"two labels":      {hsm.Selector{Label: "one"}, nil, hsm.ErrAmbiguous},
		"two in all":      {hsm.Selector{Label: "three", ID: []byte{3}}, nil, hsm.ErrAmbiguous},
		"unknown label":   {hsm.Selector{Label: "four"}, nil, hsm.ErrKeyNotFound},
		"another's label": {hsm.Selector{Label: "two", ID: one.ID()}, nil, hsm.ErrKeyNotFound},
		"nothing named":   {hsm.Selector{}, nil, hsm.ErrKeyNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			key, err := token.Find(test.selector)
			if !errors.Is(err, test.kind) || err == nil && !bytes.Equal(key.ID(), test.want) {
				t.Errorf("found %v with error %v, want ID %x with %v", key, err, test.want, test.kind)
			}
			if hsm.IsFatal(err) {
				t.Errorf("%v is fatal", err)
			}
		})
	}
	keys, err := token.Keys()
	if err != nil || len(keys) != 5 {
		t.Errorf("listed %v (%v), want 5 keys", keys, err)
	}
}

func TestDestroy(t *testing.T) {
	token, soft := open(t, withCopies)
	key, other := generate(t, token, "key", hsm.P256), generate(t, token, "other", hsm.P256)
	for _, k := range []*hsm.Key{key, other} {
		if err := k.Prove(t.Context(), ""); err != nil {
			t.Fatal(err)
		}
	}
	if err := token.Destroy(key); err != nil {
		t.Fatal(err)
	}
	if _, err := key.Sign(nil, make([]byte, 32), crypto.SHA256); !errors.Is(err, hsm.ErrKeyNotFound) || hsm.IsFatal(err) {
		t.Errorf("a destroyed key signs, or the error is another: %v", err)
	}
	if err := token.Destroy(key); !errors.Is(err, hsm.ErrKeyNotFound) {
		t.Errorf("destroying it again: %v", err)
	}
	if err := other.Prove(t.Context(), ""); err != nil {
		t.Errorf("the other key: %v", err)
	}
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		if n := count(t, ctx, session, pkcs11.NewAttribute(pkcs11.CKA_ID, key.ID())); n != 0 {
			t.Errorf("%d objects of the key are left", n)
		}
	})
	generate(t, token, "key", hsm.P256)
}

func TestKeyDestroyedByAnotherProcess(t *testing.T) {
	for name, copies := range map[string]bool{"by token object": false, "by session copy": true} {
		t.Run(name, func(t *testing.T) {
			token, soft := open(t, func(cfg *hsm.Config) { cfg.SessionCopies = copies })
			key, other := generate(t, token, "key", hsm.P256), generate(t, token, "other", hsm.P256)
			if err := errors.Join(key.Prove(t.Context(), ""), other.Prove(t.Context(), "")); err != nil {
				t.Fatal(err)
			}
			destroyElsewhere(t, soft, "key")
			if err := token.Refresh(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := key.Prove(t.Context(), ""); !errors.Is(err, hsm.ErrKeyNotFound) || hsm.IsFatal(err) {
				t.Errorf("the destroyed key: %v, want not found", err)
			}
			if err := other.Prove(t.Context(), ""); err != nil {
				t.Errorf("the other key: %v", err)
			}
		})
	}
}

// A look notices what changed since the last one, though it reads public halves
// once.
func TestLookNoticesChanges(t *testing.T) {
	token, soft := open(t)
	key := generate(t, token, "key", hsm.P256)
	for range 2 {
		if keys, err := token.Keys(); err != nil || len(keys) != 1 || keys[0].Problem() != nil {
			t.Fatalf("%v %v", keys, err)
		}
	}
	raw(t, token, soft, func(ctx *pkcs11.Ctx, session pkcs11.SessionHandle) {
		generateRaw(t, ctx, session, "stray", key.ID(), map[uint]bool{pkcs11.CKA_DECRYPT: true}) // whose public half is the key's too, by its ID
		private := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, "key")}
		changed := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, "renamed"), pkcs11.NewAttribute(pkcs11.CKA_DERIVE, true)}
		if err := ctx.SetAttributeValue(session, one(t, ctx, session, private...), changed); err != nil {
			t.Fatal(err)
		}
	})
	keys, err := token.Keys()
	if err != nil || len(keys) != 2 {
		t.Fatalf("%v %v", keys, err)
	}
	for _, k := range keys {
		switch k.Label() {
		case "renamed":
			if !errors.Is(k.Problem(), hsm.ErrAmbiguous) || k.Custody().Derive != hsm.True {
				t.Errorf("%s: %v, %+v; want an ambiguous public half, and that it may derive", k, k.Problem(), k.Custody())
			}
		case "stray":
			if !errors.Is(k.Problem(), hsm.ErrCustody) {
				t.Errorf("%s: %v, want that it may decrypt", k, k.Problem())
			}
		default:
			t.Errorf("found %s", k)
		}
	}
}

func one(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle, template ...*pkcs11.Attribute) pkcs11.ObjectHandle {
	t.Helper()
	if err := ctx.FindObjectsInit(session, template); err != nil {
		t.Fatal(err)
	}
	handles, _, err := ctx.FindObjects(session, 2)
	if err := errors.Join(err, ctx.FindObjectsFinal(session)); err != nil || len(handles) != 1 {
		t.Fatalf("%d objects: %v", len(handles), err)
	}
	return handles[0]
}

func TestTokenVanishes(t *testing.T) {
	for name, copies := range map[string]bool{"token objects": false, "session copies": true} {
		t.Run(name, func(t *testing.T) {
			token, soft := open(t, func(cfg *hsm.Config) { cfg.SessionCopies = copies })
			key := generate(t, token, "key", hsm.P256)
			if err := key.Prove(t.Context(), ""); err != nil {
				t.Fatal(err)
			}
			soft.Lose()
			_, findErr := token.Find(hsm.Selector{Label: "key"})
			_, listErr := token.Keys()
			_, generateErr := token.Generate(hsm.Spec{Label: "new", Type: hsm.P256})
			errs := map[string]error{
				"Find": findErr, "Keys": listErr, "Generate": generateErr, "Refresh": token.Refresh(t.Context()),
				"Destroy": token.Destroy(key),
			}
			if !copies { // a copy still signs, which is why there is Refresh
				errs["Prove"] = key.Prove(t.Context(), "")
			}
			for call, err := range errs {
				if !errors.Is(err, hsm.ErrTokenGone) || errors.Is(err, hsm.ErrKeyNotFound) || !hsm.IsFatal(err) {
					t.Errorf("%s: %v, want that the token is gone", call, err)
				}
			}
			soft.Restore()
			if err := token.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := reopen(t, soft).Find(hsm.Selector{Label: "key"}); err != nil {
				t.Errorf("after it came back: %v", err)
			}
		})
	}
}

// A token that listed keys and now has none at all isn't believed, even if it
// answers.
func TestTokenThatForgotItsKeys(t *testing.T) {
	token, soft := open(t)
	generate(t, token, "key", hsm.P256)
	destroyElsewhere(t, soft, "key")
	if _, err := token.Find(hsm.Selector{Label: "key"}); !errors.Is(err, hsm.ErrTokenGone) {
		t.Errorf("the last key gone without our doing: %v, want doubt about the token", err)
	}
}

func count(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle, template ...*pkcs11.Attribute) int {
	t.Helper()
	if err := ctx.FindObjectsInit(session, template); err != nil {
		t.Fatal(err)
	}
	handles, _, err := ctx.FindObjects(session, 100)
	if err := errors.Join(err, ctx.FindObjectsFinal(session)); err != nil {
		t.Fatal(err)
	}
	return len(handles)
}

// generateRaw makes a P-256 key pair with private attributes on top of this
// package's own.
func generateRaw(t *testing.T, ctx *pkcs11.Ctx, session pkcs11.SessionHandle, label string, id []byte, private map[uint]bool) {
	t.Helper()
	flags := map[uint]bool{
		pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true, pkcs11.CKA_EXTRACTABLE: false,
		pkcs11.CKA_SIGN: true, pkcs11.CKA_DECRYPT: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_DERIVE: false,
		pkcs11.CKA_SIGN_RECOVER: false,
	}
	for attribute, value := range private {
		flags[attribute] = value
	}
	names := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, label), pkcs11.NewAttribute(pkcs11.CKA_ID, id)}
	template := names
	for attribute, value := range flags {
		template = append(template, pkcs11.NewAttribute(attribute, value))
	}
	p256 := []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07}
	public := append(names[:2:2], pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true), pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, p256))
	mechanism := []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_EC_KEY_PAIR_GEN, nil)}
	if _, _, err := ctx.GenerateKeyPair(session, mechanism, public, template); err != nil {
		t.Fatal(err)
	}
}
