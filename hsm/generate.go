package hsm

import (
	"context"
	"crypto"
	"crypto/rand"
	"fmt"

	"github.com/ThalesGroup/crypto11"
	"github.com/miekg/pkcs11"
)

// generatedID is the length of a random CKA_ID in bytes.
const generatedID = 16

// Generate makes a key pair that can only sign and can't leave the token. It
// sets every attribute that matters for this, reads them back and checks them,
// makes a signature and verifies it, and only then returns the key. It destroys
// a key pair that fails any of these checks. RSA keys can take many seconds.
//
// Errors: ErrKeyExists if the label or the ID is taken, ErrCustody if the
// token's key has other attributes than requested, ErrSignature, ErrTokenGone,
// ErrClosed, an *Error, or a *LeftoverError with one of these if the failed key
// pair could not be destroyed.
func (t *Token) Generate(spec Spec) (*Key, error) {
	if spec.Label == "" || !spec.Type.generatable() {
		return nil, fmt.Errorf("hsm: a key of type %q with label %q; give a label and one of the types %v",
			spec.Type, spec.Label, KeyTypes())
	}
	if len(spec.ID) == 0 {
		spec.ID = NewID()
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	if err := t.checkUnused(spec); err != nil {
		return nil, err
	}
	err := t.generate(spec)
	if err == nil {
		var k *Key
		if k, err = t.accept(spec); err == nil {
			return k, nil
		}
	}
	err = fmt.Errorf("hsm: generating key %q: %w", spec.Label, err)
	if left := t.discard(spec); left != nil {
		return nil, &LeftoverError{Label: spec.Label, ID: spec.ID, Marked: t.mark(spec) == nil, Cause: err, Refusal: left}
	}
	return nil, err
}

// NewID returns a random CKA_ID.
func NewID() []byte {
	id := make([]byte, generatedID)
	_, _ = rand.Read(id) // never fails (crypto/rand)
	return id
}

// checkUnused makes sure that neither the label nor the ID is taken: either
// must always identify one key.
func (t *Token) checkUnused(spec Spec) error {
	return t.sessions.with(context.Background(), func(s session) error {
		sameLabel, err := s.find(privateKeys(named(spec.Label, nil)...))
		if err != nil {
			return err
		}
		sameID, err := s.find(append(named("", spec.ID), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)))
		switch {
		case err != nil:
			return err
		case len(sameLabel) > 0:
			return fail(ErrKeyExists, nil, "token %[2]s already has a key with label %[1]q", spec.Label, t.slot)
		case len(sameID) > 0:
			return fail(ErrKeyExists, nil, "token %[2]s already has an object with ID %[1]x", spec.ID, t.slot)
		}
		return t.confirmAbsence(s)
	})
}

// generate leaves RSA and EC to crypto11 if it has the token. Its own defaults
// would allow RSA keys to decrypt and, on SoftHSM, EC keys to unwrap, so every
// attribute is set.
func (t *Token) generate(spec Spec) error {
	mechanism, public, private, err := templates(spec)
	if err != nil {
		return err
	}
	switch c := t.module.crypto11; {
	case c == nil || spec.Type == Ed25519:
		return t.sessions.with(context.Background(), func(s session) error {
			_, _, err := s.ctx.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{mechanism}, public, private)
			return callError("C_GenerateKeyPair", err)
		})
	case spec.Type.curve() != nil:
		_, err = c.GenerateECDSAKeyPairWithAttributes(attributeSet(public), attributeSet(private), spec.Type.curve())
	default:
		_, err = c.GenerateRSAKeyPairWithAttributes(attributeSet(public), attributeSet(private), spec.Type.bits())
	}
	return callError("C_GenerateKeyPair", err)
}

func attributeSet(attributes []*pkcs11.Attribute) crypto11.AttributeSet {
	set := crypto11.NewAttributeSet()
	set.AddIfNotPresent(attributes)
	return set
}

func templates(spec Spec) (mechanism *pkcs11.Mechanism, public, private []*pkcs11.Attribute, err error) {
	kind, generator := uint(pkcs11.CKK_EC), uint(pkcs11.CKM_EC_KEY_PAIR_GEN)
	var parameters []*pkcs11.Attribute
	if bits := spec.Type.bits(); bits > 0 {
		kind, generator = pkcs11.CKK_RSA, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN
		parameters = []*pkcs11.Attribute{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}
	} else {
		params, err := ecParams(spec.Type)
		if err != nil {
			return nil, nil, nil, err
		}
		parameters = []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params)}
	}
	if spec.Type == Ed25519 {
		kind, generator = ckkEdwards, ckmEdwardsKeyPairGen
	}
	names := append(named(spec.Label, spec.ID), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind))
	public = append(append(publicTemplate(), names...), parameters...)
	return pkcs11.NewMechanism(generator, nil), public, append(privateTemplate(), names...), nil
}

func publicTemplate() []*pkcs11.Attribute {
	return tokenObjects(pkcs11.CKO_PUBLIC_KEY,
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY_RECOVER, false),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_WRAP, false),
	)
}

func privateTemplate() []*pkcs11.Attribute {
	return privateKeys(
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN_RECOVER, false),
	)
}

// accept finds the new key like any other and checks that it is what was
// requested.
func (t *Token) accept(spec Spec) (*Key, error) {
	k, err := t.find(Selector{Label: spec.Label, ID: spec.ID})
	switch {
	case err != nil:
		return nil, err
	case k.problem != nil:
		return nil, k.problem
	case k.Type() != spec.Type:
		return nil, fail(ErrUnusable, nil, "the token made a key of type %s, want %s", k.Type(), spec.Type)
	}
	if err := k.custody.checkNew(); err != nil {
		return nil, err
	}
	return k, k.prove(spec.Alg, func(digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return k.sign(context.Background(), digest, opts)
	})
}
