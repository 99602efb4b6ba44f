package hsm

import (
	"context"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Destroy destroys a key pair for good: the private key first and then, unless
// another private key has the same ID, the public half and its certificates.
// From then on the key's Sign returns ErrKeyNotFound. Errors: ErrKeyNotFound if
// it is already gone, ErrTokenGone, ErrClosed, or an *Error.
func (t *Token) Destroy(k *Key) error {
	if k.token != t {
		return fmt.Errorf("hsm: key %s isn't on this token", k)
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	return t.sessions.with(context.Background(), func(s session) error {
		if err := t.confirm(s, k); err != nil {
			return err
		}
		t.copies.drop(k.identity)
		if err := s.destroy(k.identity.handle); err != nil {
			return err
		}
		t.sawKeys.Store(false) // it may have been the last
		return s.destroyPublic(k)
	})
}

// confirm makes sure that the handle still refers to the key before anything is
// destroyed.
func (t *Token) confirm(s session, k *Key) error {
	handles, err := s.find(privateKeys(named(k.label, k.id)...))
	if err != nil {
		return err
	}
	for _, handle := range handles {
		if handle != k.identity.handle {
			continue
		}
		if now, err := t.read(&publicHalves{session: s}, handle); err != nil || now.identity == k.identity {
			return err
		}
	}
	if err := t.confirmAbsence(s); err != nil {
		return err
	}
	return fail(ErrKeyNotFound, nil, "key %s is no longer on token %s", k, t.slot)
}

// destroyPublic destroys the public objects of a key whose private object is
// gone.
func (s session) destroyPublic(k *Key) error {
	if len(k.id) == 0 && k.label == "" {
		return nil
	}
	names := named("", k.id)
	if len(k.id) == 0 {
		names = named(k.label, nil)
	}
	others, err := s.find(privateKeys(names...))
	if err != nil || len(others) > 0 {
		return err
	}
	if err := s.destroyAll(tokenObjects(pkcs11.CKO_PUBLIC_KEY, names...)); err != nil || len(k.id) == 0 {
		return err
	}
	return s.destroyAll(tokenObjects(pkcs11.CKO_CERTIFICATE, names...))
}

func (s session) destroyAll(template []*pkcs11.Attribute) error {
	handles, err := s.find(template)
	if err != nil {
		return err
	}
	for _, handle := range handles {
		if err := s.destroy(handle); err != nil {
			return err
		}
	}
	return nil
}

func (s session) destroy(object pkcs11.ObjectHandle) error {
	return callError("C_DestroyObject", s.ctx.DestroyObject(s.handle, object))
}
