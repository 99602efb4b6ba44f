package hsm

import (
	"encoding/binary"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// findBatch is how many handles one C_FindObjects call asks for.
const findBatch = 64

// MaxKeys is how many private keys a token may hold.
const MaxKeys = 50_000

// find lists all token objects that match. It gives up on a module whose search
// has more results than a token may have keys: one that never ends would take
// all memory.
func (s session) find(template []*pkcs11.Attribute) (handles []pkcs11.ObjectHandle, err error) {
	if err := s.ctx.FindObjectsInit(s.handle, template); err != nil {
		return nil, callError("C_FindObjectsInit", err)
	}
	for {
		batch, _, err := s.ctx.FindObjects(s.handle, findBatch)
		if err != nil {
			return nil, callError("C_FindObjects", err)
		}
		if len(batch) == 0 {
			return handles, callError("C_FindObjectsFinal", s.ctx.FindObjectsFinal(s.handle))
		}
		if len(handles)+len(batch) > MaxKeys {
			return nil, fail(ErrModule, nil, "a search on the token has more than %d results, or the module never ends it; remove old keys, or update the module", MaxKeys)
		}
		handles = append(handles, batch...)
	}
}

// tokenObjects is the template of a class. It excludes session objects, such as
// this package's copies, which have the same labels and IDs as the originals.
func tokenObjects(class uint, more ...*pkcs11.Attribute) []*pkcs11.Attribute {
	return append([]*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, true),
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, class),
	}, more...)
}

func privateKeys(more ...*pkcs11.Attribute) []*pkcs11.Attribute {
	return tokenObjects(pkcs11.CKO_PRIVATE_KEY, more...)
}

// named are the template attributes for a label and an ID. Empty ones are left
// out, since some modules refuse them.
func named(label string, id []byte) (template []*pkcs11.Attribute) {
	if label != "" {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	}
	if len(id) > 0 {
		template = append(template, pkcs11.NewAttribute(pkcs11.CKA_ID, id))
	}
	return template
}

// attribute reads one attribute, nil if the object doesn't have it or the token
// doesn't tell.
func (s session) attribute(object pkcs11.ObjectHandle, attribute uint) ([]byte, error) {
	got, err := s.ctx.GetAttributeValue(s.handle, object, []*pkcs11.Attribute{pkcs11.NewAttribute(attribute, nil)})
	err = callError("C_GetAttributeValue", err)
	switch {
	case hasCode(err, pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_SENSITIVE, pkcs11.CKR_FUNCTION_NOT_SUPPORTED):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return got[0].Value, nil
}

// attributes reads several attributes, in order, with one request if the token
// tells all of them. One that it doesn't know hides the others of the same
// request, so after a failure each is read by itself.
func (s session) attributes(object pkcs11.ObjectHandle, attributes ...uint) ([][]byte, error) {
	template := make([]*pkcs11.Attribute, len(attributes))
	for i, attribute := range attributes {
		template[i] = pkcs11.NewAttribute(attribute, nil)
	}
	values := make([][]byte, len(attributes))
	got, err := s.ctx.GetAttributeValue(s.handle, object, template)
	if err == nil && len(got) == len(values) {
		for i := range got {
			values[i] = got[i].Value
		}
		return values, nil
	}
	for i, attribute := range attributes {
		if values[i], err = s.attribute(object, attribute); err != nil {
			return nil, err
		}
	}
	return values, nil
}

// custodyFlags are the attributes that make up a Custody.
var custodyFlags = []struct {
	attribute uint
	name      string
	of        func(*Custody) *Flag
}{
	{pkcs11.CKA_EXTRACTABLE, "CKA_EXTRACTABLE", func(c *Custody) *Flag { return &c.Extractable }},
	{pkcs11.CKA_SENSITIVE, "CKA_SENSITIVE", func(c *Custody) *Flag { return &c.Sensitive }},
	{pkcs11.CKA_NEVER_EXTRACTABLE, "CKA_NEVER_EXTRACTABLE", func(c *Custody) *Flag { return &c.NeverExtractable }},
	{pkcs11.CKA_ALWAYS_SENSITIVE, "CKA_ALWAYS_SENSITIVE", func(c *Custody) *Flag { return &c.AlwaysSensitive }},
	{pkcs11.CKA_PRIVATE, "CKA_PRIVATE", func(c *Custody) *Flag { return &c.Private }},
	{pkcs11.CKA_SIGN, "CKA_SIGN", func(c *Custody) *Flag { return &c.Sign }},
	{pkcs11.CKA_DECRYPT, "CKA_DECRYPT", func(c *Custody) *Flag { return &c.Decrypt }},
	{pkcs11.CKA_UNWRAP, "CKA_UNWRAP", func(c *Custody) *Flag { return &c.Unwrap }},
	{pkcs11.CKA_DERIVE, "CKA_DERIVE", func(c *Custody) *Flag { return &c.Derive }},
	{pkcs11.CKA_SIGN_RECOVER, "CKA_SIGN_RECOVER", func(c *Custody) *Flag { return &c.SignRecover }},
	{pkcs11.CKA_ALWAYS_AUTHENTICATE, "CKA_ALWAYS_AUTHENTICATE", func(c *Custody) *Flag { return &c.AlwaysAuthenticate }},
	{pkcs11.CKA_LOCAL, "CKA_LOCAL", func(c *Custody) *Flag { return &c.Local }},
}

// flagNamed is the flag of the attribute with the name, which must be one of
// custodyFlags.
func flagNamed(c *Custody, name string) *Flag {
	for _, flag := range custodyFlags {
		if flag.name == name {
			return flag.of(c)
		}
	}
	return new(Flag)
}

func attributeName(attribute uint) string {
	for _, flag := range custodyFlags {
		if flag.attribute == attribute {
			return flag.name
		}
	}
	return ""
}

func custodyAttributes() (all []uint) {
	for _, flag := range custodyFlags {
		all = append(all, flag.attribute)
	}
	return all
}

// custodyOf decodes the values of custodyAttributes.
func custodyOf(values [][]byte) (c Custody) {
	for i, flag := range custodyFlags {
		*flag.of(&c) = flagOf(values[i])
	}
	return c
}

func (s session) custody(key pkcs11.ObjectHandle) (Custody, error) {
	values, err := s.attributes(key, custodyAttributes()...)
	if err != nil {
		return Custody{}, err
	}
	return custodyOf(values), nil
}

// allowedMechanisms reads a key's CKA_ALLOWED_MECHANISMS; nil if the token
// doesn't restrict the key, or doesn't tell.
func (s session) allowedMechanisms(key pkcs11.ObjectHandle) ([]uint, error) {
	value, err := s.attribute(key, pkcs11.CKA_ALLOWED_MECHANISMS)
	if err != nil {
		return nil, err
	}
	const size = int(unsafe.Sizeof(uint(0)))
	var all []uint
	for ; len(value) >= size; value = value[size:] {
		m, _ := ulong(value[:size])
		all = append(all, m)
	}
	return all, nil
}

// flagOf decodes a CK_BBOOL: one byte, 0 or 1. Anything else is Unknown.
func flagOf(value []byte) Flag {
	switch {
	case len(value) != 1:
		return Unknown
	case value[0] == 1:
		return True
	case value[0] == 0:
		return False
	}
	return Unknown
}

// ulong decodes a CK_ULONG, which has the machine's byte order and width.
func ulong(value []byte) (uint, bool) {
	switch {
	case len(value) != int(unsafe.Sizeof(uint(0))):
		return 0, false
	case len(value) == 4:
		return uint(binary.NativeEndian.Uint32(value)), true
	}
	return uint(binary.NativeEndian.Uint64(value)), true
}
