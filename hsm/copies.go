package hsm

import (
	"slices"
	"sync"

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
type copies struct {
	wanted bool
	keeper session

	mu   sync.RWMutex
	made map[identity]pkcs11.ObjectHandle
}

func newCopies(keeper session, wanted bool) *copies {
	return &copies{wanted: wanted, keeper: keeper, made: map[identity]pkcs11.ObjectHandle{}}
}

// handle returns the object to sign with: the copy, made at the first use, or
// the key itself.
func (c *copies) handle(key identity) pkcs11.ObjectHandle {
	if !c.wanted {
		return key.handle
	}
	c.mu.RLock()
	handle, known := c.made[key]
	c.mu.RUnlock()
	if !known {
		handle = c.add(key)
	}
	if handle == noCopy {
		return key.handle
	}
	return handle
}

func (c *copies) add(key identity) pkcs11.ObjectHandle {
	c.mu.Lock()
	defer c.mu.Unlock()
	handle, known := c.made[key]
	if !known {
		handle = c.make(key.handle)
		c.made[key] = handle
	}
	return handle
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

func (c *copies) none() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.made) == 0
}

// keep drops the copies of all keys except those among handles.
func (c *copies) keep(handles []pkcs11.ObjectHandle) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, handle := range c.made {
		if !slices.Contains(handles, key.handle) {
			c.destroy(handle)
			delete(c.made, key)
		}
	}
}

// drop destroys one key's copy.
func (c *copies) drop(key identity) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.destroy(c.made[key])
	delete(c.made, key)
}
