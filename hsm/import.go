package hsm

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// Import puts a key pair on the token that was made elsewhere: as an
// *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey or *mldsa.PrivateKey.
// spec.Type is the key's own. The private key crosses into the token wrapped,
// if the token unwraps keys, and in the clear to the module otherwise. Then
// Import does what Generate does: it reads the attributes back, and makes and
// verifies a signature. Key.Imported is true of such a key for good.
//
// Errors: as Generate's, and ErrUnusable for a type that isn't supported. The
// caller wipes the key.
func (t *Token) Import(spec Spec, private crypto.Signer) (*Key, error) {
	spec.Type = typeOf(private.Public())
	if spec.Label == "" || spec.Type == "" || spec.Type.bits() > 0 && spec.Type.bits() < minRSABits {
		return nil, fail(ErrUnusable, nil, "a key of type %q with label %q can't be imported; give a label, and a key of one of the types %v",
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
	err := t.store(spec, private)
	if err == nil {
		var k *Key
		if k, err = t.acceptImported(spec, private.Public()); err == nil {
			return k, nil
		}
	}
	return nil, t.abandon(spec, fmt.Errorf("hsm: importing key %q: %w", spec.Label, err))
}

// acceptImported is accept for a key that was outside. opencryptoki 3.8 makes
// an unwrapped key extractable whatever it was asked for, and then lets that be
// changed.
func (t *Token) acceptImported(spec Spec, public crypto.PublicKey) (*Key, error) {
	k, err := t.findNew(spec)
	if err == nil && k.Tightens() {
		k, err = t.tighten(k)
	}
	switch {
	case err != nil:
		return nil, err
	case k.problem != nil:
		return nil, k.problem
	case !equal(k.public, public):
		return nil, fail(ErrUnusable, nil, "the token has another public key than the file")
	}
	return k, k.proveLocked(spec.Alg)
}

// store makes both objects. The ways to do so are tried from the safest on; one
// that failed may have left an object.
func (t *Token) store(spec Spec, private crypto.Signer) (refusal error) {
	material, err := newMaterial(private)
	if err != nil {
		return err
	}
	defer material.wipe()
	for _, way := range t.ways() {
		for _, omitted := range t.provider().omissions() {
			template := without(omitted, slices.Concat(privateTemplate(), named(spec.Label, spec.ID), keyTypeOf(spec.Type)))
			err := t.sessions.with(context.Background(), func(s session) error { return way.store(s, template, material) })
			if err == nil {
				return t.storePublic(spec, material)
			}
			if errors.Is(err, ErrClosed) || errors.Is(err, ErrTokenGone) {
				return err
			}
			refusal = errors.Join(refusal, fmt.Errorf("%s: %w", way, err))
			if err := t.discard(spec); err != nil {
				return err
			}
			if !refusesTemplate(err) {
				break
			}
		}
	}
	return refusal
}

// storePublic makes the public half, unless the token made it.
func (t *Token) storePublic(spec Spec, material *material) error {
	return t.sessions.with(context.Background(), func(s session) error {
		names := slices.Concat(named(spec.Label, spec.ID), keyTypeOf(spec.Type))
		found, err := s.find(tokenObjects(pkcs11.CKO_PUBLIC_KEY, names...))
		if err != nil || len(found) > 0 {
			return err
		}
		var refusal error
		for _, public := range material.public {
			for _, omitted := range t.provider().omissions() {
				template := without(omitted, slices.Concat(publicTemplate(), names, public))
				_, err := s.ctx.CreateObject(s.handle, template)
				if err = callError("C_CreateObject", err); !refusesTemplate(err) && !hasCode(err, pkcs11.CKR_FUNCTION_FAILED) {
					return err
				}
				refusal = cmp.Or(refusal, err)
			}
		}
		return refusal
	})
}

func keyTypeOf(typ KeyType) []*pkcs11.Attribute {
	kind, _ := generatorOf(typ)
	return []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind)}
}
