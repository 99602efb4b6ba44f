package hsm

import (
	"context"
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
	if why := t.provider().makesNoKeys(spec); why != "" {
		return nil, fail(ErrUnusable, nil, "%s", why)
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
	t.lean = 0
	return nil, t.abandon(spec, fmt.Errorf("hsm: generating key %q: %w", spec.Label, err))
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

// generate makes the key pair with the first template that the token takes. A
// refused one may have left an object behind, which would be found as this
// key's.
func (t *Token) generate(spec Spec) (refusal error) {
	all, err := t.provider().templates(spec)
	if err != nil {
		return err
	}
	for _, template := range all {
		if template.lean < t.lean {
			continue
		}
		switch err := t.generatePair(spec, template); {
		case err == nil:
			t.lean = template.lean
			return nil
		case !refusesTemplate(err):
			return t.makesInstead(spec.Type, err)
		case refusal == nil:
			refusal = err
		}
		if err := t.discard(spec); err != nil {
			return err
		}
	}
	return t.makesInstead(spec.Type, refusal)
}

// makesInstead explains a refused type of key by what the token lists.
func (t *Token) makesInstead(typ KeyType, refusal error) error {
	if !hasCode(refusal, typeRefusals...) || len(t.mechanisms) == 0 {
		return refusal
	}
	return fail(ErrAlgorithm, refusal, "token %s makes no %s keys; it makes %s; choose an algorithm for these", t.slot, typ, t.Makes())
}

// generatePair leaves RSA and EC to crypto11 if it has the token. It adds
// attributes that a template lacks, so it gets the full ones only. Its own
// defaults would allow RSA keys to decrypt and, on SoftHSM, EC keys to unwrap.
func (t *Token) generatePair(spec Spec, pair keyTemplate) (err error) {
	switch c := t.module.crypto11; {
	case c == nil || spec.Type == Ed25519 || spec.Type.parameterSet() > 0 || !pair.full:
		return t.sessions.with(context.Background(), func(s session) error {
			_, _, err := s.ctx.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{pair.mechanism}, pair.public, pair.private)
			return callError("C_GenerateKeyPair", err)
		})
	case spec.Type.curve() != nil:
		_, err = c.GenerateECDSAKeyPairWithAttributes(attributeSet(pair.public), attributeSet(pair.private), spec.Type.curve())
	default:
		_, err = c.GenerateRSAKeyPairWithAttributes(attributeSet(pair.public), attributeSet(pair.private), spec.Type.bits())
	}
	return callError("C_GenerateKeyPair", err)
}

func attributeSet(attributes []*pkcs11.Attribute) crypto11.AttributeSet {
	set := crypto11.NewAttributeSet()
	set.AddIfNotPresent(attributes)
	return set
}

// findNew finds a key that this process has just put on the token.
func (t *Token) findNew(spec Spec) (k *Key, err error) {
	err = t.onceKnown(context.Background(), func() (err error) {
		k, err = t.find(Selector{Label: spec.Label, ID: spec.ID})
		return err
	})
	return k, err
}

// accept finds the new key like any other and checks that it is what was
// requested.
func (t *Token) accept(spec Spec) (*Key, error) {
	k, err := t.findNew(spec)
	switch {
	case err != nil:
		return nil, err
	case k.problem != nil:
		return nil, k.problem
	case k.Type() != spec.Type:
		return nil, fail(ErrUnusable, nil, "the token made a key of type %s, want %s", k.Type(), spec.Type)
	}
	if err := t.provider().checkNew(k.held); err != nil {
		return nil, err
	}
	return k, t.provider().adviseOn(k.kind, k.proveLocked(spec.Alg))
}
