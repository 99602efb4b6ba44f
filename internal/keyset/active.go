package keyset

import "sync/atomic"

// Active holds the Ring in force. It is safe for concurrent use.
type Active struct{ ring atomic.Pointer[Ring] }

// Ring is the ring in force.
func (a *Active) Ring() *Ring { return a.ring.Load() }

// Replace puts a ring in force.
func (a *Active) Replace(r *Ring) { a.ring.Store(r) }

// SigningKey is the version of the set that signs now. The error wraps ErrNoKey
// and says why none does.
func (a *Active) SigningKey(set string) (Key, error) { return a.Ring().SigningKey(set) }
