package hsm

import (
	"context"
	"errors"
	"time"

	"github.com/miekg/pkcs11"
)

// knownTries and knownPause bound onceKnown: a second, which is half of the
// default of hsm.timeout.
const (
	knownTries = 10
	knownPause = 100 * time.Millisecond
)

// onceKnown calls do, and again while the token doesn't know the key, if its
// provider has tokens that learn of new keys late.
func (t *Token) onceKnown(ctx context.Context, do func() error) error {
	err := do()
	if !unknownKey(err) || !t.provider().has(func(q quirk) bool { return q.slowToKnow }) {
		return err
	}
	for n := 1; n < knownTries && unknownKey(err); n++ {
		select {
		case <-time.After(knownPause):
		case <-ctx.Done():
			return err
		}
		err = do()
	}
	return err
}

// unknownKey reports whether a token answered that it has no such key.
func unknownKey(err error) bool {
	return errors.Is(err, ErrKeyNotFound) || hasCode(err, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID)
}
