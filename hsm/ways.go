package hsm

import (
	"crypto/aes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // what every token takes in CKM_RSA_PKCS_OAEP, where it is no weakness
	"fmt"
	"slices"

	"github.com/miekg/pkcs11"
)

// way is a way into the token for a private key: a mechanism with which the
// token unwraps it, and how the token gets the wrapping key. The zero wrap
// stands for C_CreateObject, with which the key is in the clear in the module.
type way struct {
	wrap  uint // CKM_; noMechanism for none
	byRSA bool // the wrapping key gets in encrypted to a key pair of the token
}

func (w way) String() string {
	switch {
	case w.wrap == noMechanism:
		return "C_CreateObject"
	case w.byRSA:
		return "C_UnwrapKey with " + MechanismName(w.wrap) + " and CKM_RSA_PKCS_OAEP"
	}
	return "C_UnwrapKey with " + MechanismName(w.wrap)
}

// ways are those that the token lists, the safest first. A token that lists no
// mechanisms, or not what they can, is asked.
func (t *Token) ways() (all []way) {
	for _, byRSA := range []bool{true, false} {
		for _, wrap := range []uint{ckmAESKeyWrapKWP, pkcs11.CKM_AES_KEY_WRAP_PAD, pkcs11.CKM_AES_CBC_PAD} {
			if t.lists(wrap) && (!byRSA || t.lists(pkcs11.CKM_RSA_PKCS_OAEP) && t.lists(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN)) {
				all = append(all, way{wrap, byRSA})
			}
		}
	}
	return append(all, way{wrap: noMechanism})
}

// wrappingBytes is the size of the wrapping key: AES-256.
const wrappingBytes = 32

// store puts the private key on the token.
func (w way) store(s session, template []*pkcs11.Attribute, m *material) error {
	if w.wrap == noMechanism {
		_, err := s.ctx.CreateObject(s.handle, slices.Concat(template, m.private))
		return callError("C_CreateObject", err)
	}
	secret := make([]byte, wrappingBytes)
	defer clear(secret)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	key, err := w.wrappingKey(s, secret)
	if err != nil {
		return err
	}
	defer func() { _ = s.destroy(key) }() // a session object, which vanishes anyway
	mechanism, wrapped, err := w.wrapped(secret, m.pkcs8)
	if err != nil {
		return err
	}
	_, err = s.ctx.UnwrapKey(s.handle, []*pkcs11.Mechanism{mechanism}, key, wrapped, template)
	return callError("C_UnwrapKey", err)
}

func (w way) wrapped(secret, der []byte) (*pkcs11.Mechanism, []byte, error) {
	if w.wrap != pkcs11.CKM_AES_CBC_PAD {
		wrapped, err := wrapPadded(secret, der)
		return pkcs11.NewMechanism(w.wrap, nil), wrapped, err
	}
	iv := make([]byte, aes.BlockSize)
	_, _ = rand.Read(iv) // never fails (crypto/rand)
	wrapped, err := encryptPadded(secret, iv, der)
	return pkcs11.NewMechanism(w.wrap, iv), wrapped, err
}

// wrappingKey makes the wrapping key a session object of the token that can
// only unwrap.
func (w way) wrappingKey(s session, secret []byte) (pkcs11.ObjectHandle, error) {
	template := []*pkcs11.Attribute{
		pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_SECRET_KEY), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, pkcs11.CKK_AES),
		pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false), pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true), pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
	}
	if !w.byRSA {
		handle, err := s.ctx.CreateObject(s.handle, append(template, pkcs11.NewAttribute(pkcs11.CKA_VALUE, secret)))
		return handle, callError("C_CreateObject", err)
	}
	pair, public, err := s.transportPair()
	if err != nil {
		return 0, err
	}
	defer func() { _, _ = s.destroy(pair.private), s.destroy(pair.public) }()
	encrypted, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, public, secret, nil)
	if err != nil {
		return 0, err
	}
	oaep := pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_OAEP,
		pkcs11.NewOAEPParams(pkcs11.CKM_SHA_1, pkcs11.CKG_MGF1_SHA1, pkcs11.CKZ_DATA_SPECIFIED, nil))
	handle, err := s.ctx.UnwrapKey(s.handle, []*pkcs11.Mechanism{oaep}, pair.private, encrypted, template)
	return handle, callError("C_UnwrapKey", err)
}

// transportPair makes an RSA key pair of session objects that unwraps one key.
func (s session) transportPair() (pair trialKeys, public *rsa.PublicKey, err error) {
	session := pkcs11.NewAttribute(pkcs11.CKA_TOKEN, false)
	generator := pkcs11.NewMechanism(pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, nil)
	pair.public, pair.private, err = s.ctx.GenerateKeyPair(s.handle, []*pkcs11.Mechanism{generator},
		[]*pkcs11.Attribute{
			session, pkcs11.NewAttribute(pkcs11.CKA_WRAP, true), pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, minRSABits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		},
		[]*pkcs11.Attribute{
			session, pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, true), pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
			pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		})
	if err != nil {
		return pair, nil, callError("C_GenerateKeyPair", err)
	}
	key, err := s.decode(pair.public, pkcs11.CKK_RSA)
	if err != nil {
		return pair, nil, err
	}
	public, ok := key.(*rsa.PublicKey)
	if !ok {
		return pair, nil, fmt.Errorf("hsm: the transport key is a %T", key)
	}
	return pair, public, nil
}
