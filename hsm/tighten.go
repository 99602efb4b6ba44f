package hsm

import (
	"context"
	"fmt"

	"github.com/miekg/pkcs11"
)

// tightened are the attributes that Tighten sets: PKCS#11 lets each of them
// change in this direction only, or at any time.
var tightened = []struct {
	attribute uint
	to        Flag
}{
	{pkcs11.CKA_SENSITIVE, True},
	{pkcs11.CKA_EXTRACTABLE, False},
	{pkcs11.CKA_DECRYPT, False},
	{pkcs11.CKA_UNWRAP, False},
	{pkcs11.CKA_DERIVE, False},
	{pkcs11.CKA_SIGN_RECOVER, False},
}

// Loose lists the attributes of a key that Tighten would set, each with the
// value that it has now.
func (k *Key) Loose() []string {
	var all []string
	for _, change := range k.changes() {
		name := attributeName(change.Type)
		all = append(all, fmt.Sprintf("%s is %s", name, *flagNamed(&k.held, name)))
	}
	return all
}

// Tightens reports whether the key is refused for how it is held, and passes if
// the token lets Tighten set its attributes.
func (k *Key) Tightens() bool { return k.Refused() && k.tight().Check() == nil }

// changes are the attributes to set.
func (k *Key) changes() (all []*pkcs11.Attribute) {
	for _, t := range tightened {
		if *flagNamed(&k.held, attributeName(t.attribute)) != t.to {
			all = append(all, pkcs11.NewAttribute(t.attribute, t.to == True))
		}
	}
	return all
}

// tight is what custody will be if the token makes all changes.
func (k *Key) tight() Custody {
	c := k.held
	for _, t := range tightened {
		*flagNamed(&c, attributeName(t.attribute)) = t.to
	}
	return c
}

// Tighten makes a key that another tool made sensitive, not extractable, and
// only able to sign. That can't be undone. It refuses a key that would not pass
// custody then, before it changes anything. It returns the key as the token
// reports it afterwards; the old one is of no use. Errors: ErrCustody if the
// key can't be made to pass, or the token doesn't do what it was asked;
// ErrKeyNotFound, ErrTokenGone, ErrClosed, or an *Error.
func (t *Token) Tighten(k *Key) (*Key, error) {
	if k.token != t {
		return nil, fmt.Errorf("hsm: key %s isn't on this token", k)
	}
	if err := k.tight().Check(); err != nil {
		return nil, fmt.Errorf("hsm: no attribute that can be set helps key %s: %w", k, err)
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	now, err := t.tighten(k)
	if err != nil {
		return nil, err
	}
	return now, now.problem
}

// tighten is Tighten for callers that hold admin, without judging the result.
func (t *Token) tighten(k *Key) (*Key, error) {
	err := t.sessions.with(context.Background(), func(s session) error {
		if err := t.confirm(s, k); err != nil {
			return err
		}
		t.copies.drop(k.identity)
		for _, change := range k.changes() {
			err := s.ctx.SetAttributeValue(s.handle, k.identity.handle, []*pkcs11.Attribute{change})
			if err := callError("C_SetAttributeValue", err); err != nil {
				return fmt.Errorf("hsm: the token doesn't set %s of key %s: %w", attributeName(change.Type), k, err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return t.find(Selector{Label: k.label, ID: k.id})
}
