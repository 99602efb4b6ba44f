package hsm

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/miekg/pkcs11"
)

// ErrLeftover: a key pair that failed its proof is still on the token, because
// the token refused to destroy it.
var ErrLeftover = errors.New("hsm: a key pair that failed its proof is still on the token")

// LeftoverError is the ErrLeftover of Generate and Import. Often a new process
// can do what this one can't: see Discard.
type LeftoverError struct {
	Label   string // that the key was generated with
	ID      []byte // CKA_ID
	Marked  bool   // its label is now FailedLabel(Label), which no schedule reads
	Cause   error  // why the key was to be destroyed
	Refusal error  // why it could not be
}

func (e *LeftoverError) Error() string {
	now := fmt.Sprintf("destroy it before its key set is used (label %q, ID %x)", e.Label, e.ID)
	if e.Marked {
		now = fmt.Sprintf("it has the label %q and is ignored; destroy it when the token allows (ID %x)", FailedLabel(e.Label), e.ID)
	}
	return fmt.Sprintf("%v; the key pair, if there is one, could not be destroyed (%v); %s", e.Cause, e.Refusal, now)
}

// Unwrap returns ErrLeftover, the cause and the refusal.
func (e *LeftoverError) Unwrap() []error { return []error{ErrLeftover, e.Cause, e.Refusal} }

// FailedLabel is the label that marks a key that failed its proof. It has no
// slash, so it can't be the label of a key version.
func FailedLabel(label string) string {
	return "failed proof, " + strings.ReplaceAll(label, "/", " ")
}

// discardTries is how often a key that failed its proof is destroyed, each time
// in another session: the one in which a call failed is closed.
const discardTries = 3

// abandon destroys a key pair that failed for the cause. It returns the cause,
// as a LeftoverError if the pair is still there.
func (t *Token) abandon(spec Spec, cause error) error {
	if refusal := t.discard(spec); refusal != nil {
		return &LeftoverError{Label: spec.Label, ID: spec.ID, Marked: t.mark(spec) == nil, Cause: cause, Refusal: refusal}
	}
	return cause
}

// discard destroys what a failed generation or import left behind. Nothing else
// has the ID: checkUnused made sure.
func (t *Token) discard(spec Spec) (err error) {
	t.sawKeys.Store(false) // it may have been the only key
	for range discardTries {
		err = t.sessions.with(context.Background(), func(s session) error {
			return s.destroyAll(append(named("", spec.ID), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)))
		})
		if err == nil {
			return nil
		}
	}
	return err
}

// mark gives both halves of a failed key pair a label that nothing schedules.
func (t *Token) mark(spec Spec) error {
	label := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_LABEL, FailedLabel(spec.Label))}
	return t.sessions.with(context.Background(), func(s session) error {
		handles, err := s.find(append(named("", spec.ID), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true)))
		if err != nil {
			return err
		}
		for _, handle := range handles {
			if err := s.ctx.SetAttributeValue(s.handle, handle, label); err != nil {
				return callError("C_SetAttributeValue", err)
			}
		}
		return nil
	})
}

// Discard destroys a key pair that an earlier Generate left behind, usually in
// another process: both halves, if they still have the ID and the label that
// they were generated with or marked with. It is not an error if they are gone.
// Errors: ErrTokenGone, ErrClosed, or an *Error.
func (t *Token) Discard(label string, id []byte) error {
	if label == "" || len(id) == 0 {
		return errors.New("hsm: a key pair to discard needs a label and an ID")
	}
	t.admin.Lock()
	defer t.admin.Unlock()
	t.sawKeys.Store(false)
	return t.sessions.with(context.Background(), func(s session) error {
		for _, l := range []string{label, FailedLabel(label)} {
			if err := s.destroyAll(append(named(l, id), pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true))); err != nil {
				return err
			}
		}
		return nil
	})
}
