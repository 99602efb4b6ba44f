package hsm

import (
	"context"
	"fmt"

	"github.com/miekg/pkcs11"
)

// Keys lists every private key on the token with its public half. A key that
// can't be used has a Problem. Errors: ErrTokenGone, ErrClosed, or an *Error.
func (t *Token) Keys() ([]*Key, error) {
	t.admin.RLock()
	defer t.admin.RUnlock()
	keys, err := t.keys(t.index, privateKeys())
	if err == nil {
		t.copies.keep(keys)
	}
	return keys, err
}

// Find returns the one key with the label and the ID, or with either if only
// one is given; its Problem may be set. Errors: ErrAmbiguous if two match,
// ErrKeyNotFound if none does and the token was confirmed to be present,
// ErrTokenGone if it wasn't, ErrClosed, or an *Error.
func (t *Token) Find(selector Selector) (*Key, error) {
	t.admin.RLock()
	defer t.admin.RUnlock()
	return t.find(selector)
}

// find is Find for callers that hold admin.
func (t *Token) find(selector Selector) (*Key, error) {
	if selector.Label == "" && len(selector.ID) == 0 {
		return nil, fail(ErrKeyNotFound, nil, "no key selected; give its label or its ID")
	}
	keys, err := t.keys(t.search, privateKeys(named(selector.Label, selector.ID)...))
	switch {
	case err != nil:
		return nil, err
	case len(keys) == 0:
		return nil, fail(ErrKeyNotFound, nil, "no key with %s on token %s", selector, t.slot)
	case len(keys) > 1:
		return nil, fail(ErrAmbiguous, nil, "%d keys with %s are on token %s; %s", len(keys), selector, t.slot, selector.narrow())
	}
	return keys[0], nil
}

// narrow says how to select one of several keys.
func (s Selector) narrow() string {
	if s.Label != "" && len(s.ID) > 0 {
		return "give one of them another label or ID with the vendor's tool"
	}
	return "select one by label and ID"
}

// String describes the selection.
func (s Selector) String() string {
	switch {
	case len(s.ID) == 0:
		return fmt.Sprintf("label %q", s.Label)
	case s.Label == "":
		return fmt.Sprintf("ID %x", s.ID)
	}
	return fmt.Sprintf("label %q and ID %x", s.Label, s.ID)
}

// keys reads the private keys that match. The halves of many are indexed first,
// those of a few are searched for.
func (t *Token) keys(
	halvesOf func(session) *publicHalves, template []*pkcs11.Attribute,
) (keys []*Key, err error) {
	err = t.sessions.with(context.Background(), func(s session) error {
		handles, err := s.find(template)
		if err != nil {
			return err
		}
		if len(handles) == 0 {
			return t.confirmAbsence(s)
		}
		t.sawKeys.Store(true)
		halves := halvesOf(s)
		for _, handle := range handles {
			k, err := t.read(halves, handle)
			if err != nil {
				return err
			}
			keys = append(keys, k)
		}
		t.remember(halves, keys)
		return nil
	})
	return keys, err
}

// confirmAbsence confirms that a search found nothing because the token has no
// such object, and not because the token vanished: SoftHSM's searches then find
// nothing and report no error. A token that listed keys before and now has none
// at all isn't believed either.
func (t *Token) confirmAbsence(s session) error {
	if err := t.alive(); err != nil || !t.sawKeys.Load() {
		return err
	}
	handles, err := s.find(privateKeys())
	if err == nil && len(handles) == 0 {
		return fail(ErrTokenGone, nil, "token %s no longer lists any of its keys", t.slot)
	}
	return err
}
