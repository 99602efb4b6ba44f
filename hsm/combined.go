package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"

	"github.com/miekg/pkcs11"
)

// rawMechanisms sign a digest, by the type of key.
var rawMechanisms = map[uint][]uint{
	pkcs11.CKK_EC:  {pkcs11.CKM_ECDSA},
	pkcs11.CKK_RSA: {pkcs11.CKM_RSA_PKCS, pkcs11.CKM_RSA_PKCS_PSS},
}

// combined are the mechanisms that hash the message themselves.
type combined struct{ ecdsa, rsa, pss uint }

var combinedMechanisms = map[crypto.Hash]combined{
	crypto.SHA256: {pkcs11.CKM_ECDSA_SHA256, pkcs11.CKM_SHA256_RSA_PKCS, pkcs11.CKM_SHA256_RSA_PKCS_PSS},
	crypto.SHA384: {pkcs11.CKM_ECDSA_SHA384, pkcs11.CKM_SHA384_RSA_PKCS, pkcs11.CKM_SHA384_RSA_PKCS_PSS},
	crypto.SHA512: {pkcs11.CKM_ECDSA_SHA512, pkcs11.CKM_SHA512_RSA_PKCS, pkcs11.CKM_SHA512_RSA_PKCS_PSS},
}

// combine turns the form for a message's digest into one with which the token
// hashes the message.
func (f form) combine(public crypto.PublicKey, message []byte, opts crypto.SignerOpts) form {
	mechanisms := combinedMechanisms[opts.HashFunc()]
	mechanism := mechanisms.rsa
	switch _, pss := opts.(*rsa.PSSOptions); {
	case isECDSA(public):
		mechanism = mechanisms.ecdsa
	case pss:
		mechanism = mechanisms.pss
	}
	with := *f.mechanism // and its parameters
	with.Mechanism = mechanism
	return form{&with, message, f.encode}
}

func isECDSA(public crypto.PublicKey) bool {
	_, ok := public.(*ecdsa.PublicKey)
	return ok
}

// forms are the ways to sign a message, the likelier first. One that the token
// refused gives way to the other for as long as the token is open. The token's
// own list decides only the order, since some are incomplete.
func (k *Key) forms(message []byte, opts crypto.SignerOpts) ([]form, error) {
	digest := message
	if opts != nil && hashes[opts.HashFunc()].prefix != nil {
		h := opts.HashFunc().New()
		h.Write(message)
		digest = h.Sum(nil)
	}
	raw, err := formFor(k.public, digest, opts)
	if err != nil {
		return nil, err
	}
	if _, ok := k.public.(ed25519.PublicKey); ok {
		return []form{raw}, nil
	}
	forms := []form{raw, raw.combine(k.public, message, opts)}
	if k.refuses(raw.mechanism.Mechanism) {
		slices.Reverse(forms)
	}
	return forms, nil
}

// refusedForm is a mechanism that a key doesn't sign with.
type refusedForm struct {
	public    [32]byte // the key's jose.Fingerprint
	mechanism uint
}

// refuses reports whether the token doesn't list a mechanism, or has refused it
// with this key.
func (k *Key) refuses(mechanism uint) bool {
	if !k.token.lists(mechanism) {
		return true
	}
	_, refused := k.token.refused.Load(refusedForm{k.identity.public, mechanism})
	return refused
}

// lists reports whether the token's list has a mechanism, or can't be read.
func (t *Token) lists(mechanism uint) bool {
	return len(t.mechanisms) == 0 || slices.Contains(t.mechanisms, mechanism)
}

// readMechanisms reads the token's list.
func (t *Token) readMechanisms() {
	list, err := t.module.GetMechanismList(t.slot.id)
	if err != nil {
		return // the order of trying is all that it decides
	}
	for _, m := range list {
		t.mechanisms = append(t.mechanisms, m.Mechanism)
	}
}

// WantsMessage reports whether SignMessage may succeed where Sign doesn't: the
// token lacks, or has refused, a mechanism for this key that takes a digest.
func (k *Key) WantsMessage() bool {
	return slices.ContainsFunc(rawMechanisms[k.kind], k.refuses)
}

// refusesMechanism reports whether a token may sign with another mechanism.
func refusesMechanism(err error) bool {
	return hasCode(err, pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID,
		pkcs11.CKR_KEY_TYPE_INCONSISTENT, pkcs11.CKR_KEY_FUNCTION_NOT_PERMITTED)
}
