package hsm

import (
	"bytes"
	"slices"
	"time"

	"github.com/miekg/pkcs11"
)

// listing is what Keys found. Public halves don't change, and reading and
// encoding those of a thousand keys costs more than all else, so the next Keys
// takes them from here. It reads everything else again: which keys there are,
// their labels and IDs, and how they are held.
type listing struct {
	read    time.Time             // when the oldest of the public halves was read
	publics []pkcs11.ObjectHandle // all public key objects on the token
	keys    map[pkcs11.ObjectHandle]*Key
}

// listingAge bounds how long public halves are taken from a listing. Another
// program may replace a public key object, and a module may give the new one
// the same handle. Nothing is trusted meanwhile that shouldn't be: signatures
// are verified with the public half that was published.
const listingAge = 10 * time.Minute

// unchanged returns the last listing if these are still all public key objects.
func (t *Token) unchanged(publics []pkcs11.ObjectHandle) *listing {
	last := t.listed.Load()
	if last == nil || time.Since(last.read) > listingAge || !slices.Equal(last.publics, publics) {
		return nil
	}
	return last
}

// remember keeps a listing for the next one.
func (t *Token) remember(halves *publicHalves, keys []*Key) {
	if !halves.indexed {
		return
	}
	next := &listing{read: time.Now(), publics: halves.handles, keys: make(map[pkcs11.ObjectHandle]*Key, len(keys))}
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
