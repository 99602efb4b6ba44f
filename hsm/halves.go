package hsm

import (
	"crypto"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/jose"
)

// publicHalves finds the public halves of private keys: it searches the token
// for each key or, if indexed, looks them up in what one search found.
type publicHalves struct {
	session session
	indexed bool
	objects map[halfName][]pkcs11.ObjectHandle // of all public key objects; nil before the first is looked up
	former  *listing                           // from which public halves are taken; nil if none are
	// certificates are by ID. They are read when the first key needs one: most
	// tokens have a public key object for every private key.
	certificates map[string][]Certificate
}

// search finds halves by searching the token for each key.
func (t *Token) search(s session) *publicHalves { return &publicHalves{session: s} }

// halfName is what ties a public key object to its private key. An empty label
// or ID matches any.
type halfName struct {
	kind      uint // CKK_
	label, id string
}

// index finds halves with one search for all public key objects, made when the
// first key needs it. A search costs a module time for every object on the
// token, so one search for each key would make reading a token of a thousand
// keys take minutes.
func (t *Token) index(s session) *publicHalves {
	return &publicHalves{session: s, indexed: true, former: t.recent()}
}

// readNames reads the names of the public key objects.
func (h *publicHalves) readNames() error {
	handles, err := h.session.find(tokenObjects(pkcs11.CKO_PUBLIC_KEY))
	if err != nil {
		return err
	}
	h.objects = make(map[halfName][]pkcs11.ObjectHandle, len(handles))
	for _, handle := range handles {
		values, err := h.session.attributes(handle, pkcs11.CKA_LABEL, pkcs11.CKA_ID, pkcs11.CKA_KEY_TYPE)
		if err != nil {
			return err
		}
		if kind, known := ulong(values[2]); known {
			h.add(halfName{kind, string(values[0]), string(values[1])}, handle)
		}
	}
	return nil
}

// add enters an object under every name that a search would find it by.
func (h *publicHalves) add(name halfName, handle pkcs11.ObjectHandle) {
	h.objects[name] = append(h.objects[name], handle)
	if name.label == "" || name.id == "" {
		return // one of the names below is the same, and the other is empty
	}
	for _, part := range []halfName{{name.kind, name.label, ""}, {name.kind, "", name.id}} {
		h.objects[part] = append(h.objects[part], handle)
	}
}

func (h *publicHalves) find(name halfName) ([]pkcs11.ObjectHandle, error) {
	if h.indexed && h.objects == nil {
		if err := h.readNames(); err != nil {
			return nil, err
		}
	}
	if h.indexed {
		return h.objects[name], nil
	}
	names := append(named(name.label, []byte(name.id)), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, name.kind))
	return h.session.find(tokenObjects(pkcs11.CKO_PUBLIC_KEY, names...))
}

// of finds the public half of a private key: in the public key object with its
// ID, or the private key object itself, or a certificate with its ID. Only a
// signature shows whether the halves belong together.
func (h *publicHalves) of(private pkcs11.ObjectHandle, kind uint, label string, id []byte) (crypto.PublicKey, error) {
	for _, name := range halfNames(kind, label, id) {
		handles, err := h.find(name)
		if err != nil {
			return nil, err
		}
		if len(handles) > 0 {
			return h.session.decodeSame(handles, kind)
		}
	}
	if public, err := h.session.decode(private, kind); err != nil || public != nil {
		return public, err
	}
	if len(id) > 0 {
		return h.certificateKey(id)
	}
	return nil, errNoPublicHalf
}

// halfNames are the names to look for a public half with, the narrowest first.
func halfNames(kind uint, label string, id []byte) []halfName {
	switch {
	case len(id) > 0 && label != "":
		return []halfName{{kind, label, string(id)}, {kind, "", string(id)}}
	case len(id) > 0 || label != "":
		return []halfName{{kind, label, string(id)}}
	}
	return nil
}

var errNoPublicHalf = fail(ErrUnusable, nil, "the token has no public half for this key; import its public key, or one "+
	"certificate for it, with the same CKA_ID")

// certificateKey is the public key of the one certificate with the ID.
func (h *publicHalves) certificateKey(id []byte) (crypto.PublicKey, error) {
	certificates, err := h.certificatesWith(id)
	if err != nil {
		return nil, err
	}
	if len(certificates) != 1 {
		return nil, errNoPublicHalf
	}
	if public := jose.CertifiedKey(certificates[0].Certificate); public != nil {
		return public, nil
	}
	return nil, errNoPublicHalf
}

func (h *publicHalves) certificatesWith(id []byte) ([]Certificate, error) {
	if !h.indexed {
		return h.session.certificates(id)
	}
	if h.certificates == nil {
		all, err := h.session.certificates(nil)
		if err != nil {
			return nil, err
		}
		h.certificates = make(map[string][]Certificate, len(all))
		for _, c := range all {
			h.certificates[string(c.ID)] = append(h.certificates[string(c.ID)], c)
		}
	}
	return h.certificates[string(id)], nil
}
