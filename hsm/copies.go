package hsm

import (
	"bytes"
	"sync"
	"sync/atomic"

	"github.com/miekg/pkcs11"
)

// identity identifies a key for as long as the module is initialized. The
// handle isn't enough: a module may reuse a destroyed key's handle.
type identity struct {
	handle pkcs11.ObjectHandle
	public [32]byte // its jose.Fingerprint
}

// noCopy stands for a key that the token doesn't allow to be copied.
const noCopy pkcs11.ObjectHandle = 0

// copies are session objects made from token objects (C_CopyObject with
// CKA_TOKEN false). SoftHSM opens and reads a file for every signature with a
// token object and none for a session object, which makes P-256 signatures 1.2
// to 1.6 times as fast. One copy serves all sessions of the process: a copy for
// each isn't faster. Copies vanish when the keeper's session closes.
//
// A copy outlives its key, so the key itself is looked at before the first
// signature after each call of doubt. Only that: a search for all keys costs a
// token with a thousand of them 30 ms, and a key that nobody uses can wait.
type copies struct {
	wanted bool
	keeper session

	mu   sync.RWMutex
	made map[identity]*copied
}

// copied is a key's copy.
type copied struct {
	handle pkcs11.ObjectHandle // noCopy if the token refused to make one
	seen   atomic.Bool         // the key was on the token after the last doubt
}

func newCopies(keeper session, wanted bool) *copies {
	return &copies{wanted: wanted, keeper: keeper, made: map[identity]*copied{}}
}

// handle returns the object to sign with: the copy, made at the first use, or
// the key itself. A key that may be gone signs itself, and that signature shows
// whether it is. So does a key that was excused: a copy is checked without
// excuses.
func (c *copies) handle(s session, k *Key) pkcs11.ObjectHandle {
	if !c.wanted || len(k.excuses) > 0 {
		return k.identity.handle
	}
	made := c.of(k.identity)
	if made.handle == noCopy || !made.seen.Load() && !c.confirm(s, k, made) {
		return k.identity.handle
	}
	return made.handle
}

func (c *copies) of(key identity) *copied {
	c.mu.RLock()
	made := c.made[key]
	c.mu.RUnlock()
	if made == nil {
		made = c.add(key)
	}
	return made
}

func (c *copies) add(key identity) *copied {
	c.mu.Lock()
	defer c.mu.Unlock()
	made := c.made[key]
	if made == nil {
		made = &copied{handle: c.make(key.handle)}
		made.seen.Store(true)
		c.made[key] = made
	}
	return made
}

// confirm reports whether the key that the copy was made from is still on the
// token. The copy goes if the key does.
func (c *copies) confirm(s session, k *Key, made *copied) bool {
	values, err := s.attributes(k.identity.handle, pkcs11.CKA_LABEL, pkcs11.CKA_ID)
	there := err == nil && string(values[0]) == k.label && bytes.Equal(values[1], k.id)
	if there {
		made.seen.Store(true)
	} else if err == nil || hasCode(err, pkcs11.CKR_OBJECT_HANDLE_INVALID) {
		c.drop(k.identity)
	}
	return there
}

// doubt has every key looked at before the next signature with its copy.
func (c *copies) doubt() {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, made := range c.made {
		made.seen.Store(false)
	}
}

// make copies a key and checks the copy's custody. If the token refuses, the
// key signs itself; if the token is failing, that signature will show it.
func (c *copies) make(key pkcs11.ObjectHandle) pkcs11.ObjectHandle {
	template := []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)}
	handle, err := c.keeper.ctx.CopyObject(c.keeper.handle, key, template)
	if err != nil {
		return noCopy
	}
	custody, err := c.keeper.custody(handle)
	if err != nil || custody.Check() != nil {
		c.destroy(handle)
		return noCopy
	}
	return handle
}

func (c *copies) destroy(handle pkcs11.ObjectHandle) {
	if handle != noCopy {
		_ = c.keeper.ctx.DestroyObject(c.keeper.handle, handle)
	}
}

// keep drops the copies of all keys except those that are on the token.
func (c *copies) keep(keys []*Key) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.made) == 0 {
		return
	}
	there := make(map[pkcs11.ObjectHandle]bool, len(keys))
	for _, k := range keys {
		there[k.identity.handle] = true
	}
	for key, made := range c.made {
		if !there[key.handle] {
			c.destroy(made.handle)
			delete(c.made, key)
		}
	}
}

// drop destroys one key's copy.
func (c *copies) drop(key identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if made := c.made[key]; made != nil {
		c.destroy(made.handle)
		delete(c.made, key)
	}
}
