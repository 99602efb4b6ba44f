package hsm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"slices"

	"github.com/assertd/assertd/internal/jose"
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
	f.mechanism, f.input = &with, message
	return f
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
	if jose.KindOf(k.public).SignsMessages() {
		return k.allowedForms([]form{raw})
	}
	forms := []form{raw, raw.combine(k.public, message, opts)}
	if k.refuses(raw.mechanism.Mechanism) {
		slices.Reverse(forms)
	}
	return k.allowedForms(forms)
}

// allowedForms leaves out the forms that the key may not be used with.
func (k *Key) allowedForms(forms []form) ([]form, error) {
	if k.allowed == nil {
		return forms, nil
	}
	allowed := slices.DeleteFunc(slices.Clone(forms), func(f form) bool { return !k.allows(f.mechanism.Mechanism) })
	if len(allowed) > 0 {
		return allowed, nil
	}
	wanted := make([]uint, len(forms))
	for i, f := range forms {
		wanted[i] = f.mechanism.Mechanism
	}
	return nil, fail(ErrAlgorithm, nil, "key %s allows only %s (CKA_ALLOWED_MECHANISMS), and this algorithm needs %s; choose an algorithm "+
		"that it allows, or another key", k, enumerate(namesOf(k.allowed), "and"), enumerate(namesOf(wanted), "or"))
}

// refusedForm is a mechanism that a key doesn't sign with.
type refusedForm struct {
	public    [32]byte // the key's jose.Fingerprint
	mechanism uint
}

// allows reports whether the key's CKA_ALLOWED_MECHANISMS has a mechanism, or
// the token doesn't restrict the key.
func (k *Key) allows(mechanism uint) bool {
	return k.allowed == nil || slices.Contains(k.allowed, mechanism)
}

// refuses reports whether the token doesn't list a mechanism, or has refused it
// with this key, or the key may not be used with it.
func (k *Key) refuses(mechanism uint) bool {
	if !k.token.lists(mechanism) || !k.allows(mechanism) {
		return true
	}
	_, refused := k.token.refused.Load(refusedForm{k.identity.public, mechanism})
	return refused
}

// lists reports whether the token's list has a mechanism, or can't be read.
func (t *Token) lists(mechanism uint) bool { return !lacks(t.mechanisms, mechanism) }

// readMechanisms reads the token's list, which decides the order of trying and
// explains refusals. A list that can't be read does neither.
func (t *Token) readMechanisms() { t.mechanisms, _ = t.module.mechanismList(t.slot.id) }

// Mechanisms lists the mechanisms that the token had when it was opened.
func (t *Token) Mechanisms() []Mechanism { return t.mechanisms }

// Makes describes the key pairs that the token makes by its list, such as "RSA
// of 2048 to 4096 bits and Ed25519"; empty if it has no list.
func (t *Token) Makes() string {
	if len(t.mechanisms) == 0 {
		return ""
	}
	return makes(t.mechanisms)
}

// Offers says what the token's list of mechanisms means for each algorithm;
// none if the token has no list.
func (t *Token) Offers() []Offer {
	if len(t.mechanisms) == 0 {
		return nil
	}
	return offersOf(t.mechanisms)
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
