package hsm

import (
	"encoding/binary"
	"unsafe"

	"github.com/miekg/pkcs11"
)

// findBatch is how many handles one C_FindObjects call asks for.
const findBatch = 64

// find lists all token objects that match.
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
// doesn't tell. It reads one at a time, because an attribute that a module
// doesn't know would hide all others of the same call.
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

// attributes reads several attributes, in order.
func (s session) attributes(object pkcs11.ObjectHandle, attributes ...uint) ([][]byte, error) {
	values := make([][]byte, len(attributes))
	for i, attribute := range attributes {
		value, err := s.attribute(object, attribute)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}

func (s session) custody(key pkcs11.ObjectHandle) (c Custody, err error) {
	for attribute, flag := range map[uint]*Flag{
		pkcs11.CKA_EXTRACTABLE:         &c.Extractable,
		pkcs11.CKA_SENSITIVE:           &c.Sensitive,
		pkcs11.CKA_NEVER_EXTRACTABLE:   &c.NeverExtractable,
		pkcs11.CKA_ALWAYS_SENSITIVE:    &c.AlwaysSensitive,
		pkcs11.CKA_PRIVATE:             &c.Private,
		pkcs11.CKA_SIGN:                &c.Sign,
		pkcs11.CKA_DECRYPT:             &c.Decrypt,
		pkcs11.CKA_UNWRAP:              &c.Unwrap,
		pkcs11.CKA_DERIVE:              &c.Derive,
		pkcs11.CKA_SIGN_RECOVER:        &c.SignRecover,
		pkcs11.CKA_ALWAYS_AUTHENTICATE: &c.AlwaysAuthenticate,
		pkcs11.CKA_LOCAL:               &c.Local,
	} {
		value, err := s.attribute(key, attribute)
		if err != nil {
			return Custody{}, err
		}
		*flag = flagOf(value)
	}
	return c, nil
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
