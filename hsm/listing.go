package hsm

import (
	"bytes"
	"time"

	"github.com/miekg/pkcs11"
)

// listing is what Keys found. Public halves don't change, and reading and
// encoding those of a thousand keys costs more than all else, so the next Keys
// takes them from here. It reads everything else again: which keys there are,
// their labels and IDs, and how they are held.
type listing struct {
	read time.Time // when the oldest of the public halves was read
	keys map[pkcs11.ObjectHandle]*Key
}

// listingAge bounds how long public halves are taken from a listing. Another
// program may destroy or replace a public key object. Nothing is trusted
// meanwhile that shouldn't be: signatures are verified with the public half
// that was published.
const listingAge = 10 * time.Minute

// recent returns the last listing, nil if it is too old.
func (t *Token) recent() *listing {
	last := t.listed.Load()
	if last == nil || time.Since(last.read) > listingAge {
		return nil
	}
	return last
}

// remember keeps a listing for the next one.
func (t *Token) remember(halves *publicHalves, keys []*Key) {
	if !halves.indexed {
		return
	}
	next := &listing{read: time.Now(), keys: make(map[pkcs11.ObjectHandle]*Key, len(keys))}
	if halves.former != nil {
		next.read = halves.former.read
	}
	for _, k := range keys {
		next.keys[k.identity.handle] = k
	}
	t.listed.Store(next)
}

// recall fills in the public half of a key that was listed under the same
// handle and names. The listing can be nil.
func (l *listing) recall(k *Key) bool {
	if l == nil {
		return false
	}
	last := l.keys[k.identity.handle]
	if last == nil || last.public == nil || last.kind != k.kind || last.label != k.label || !bytes.Equal(last.id, k.id) {
		return false
	}
	k.public, k.spki, k.identity, k.allowed = last.public, last.spki, last.identity, last.allowed
	return true
}
