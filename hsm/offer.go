package hsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/internal/jose"
)

// Mechanism is a mechanism that a token lists.
type Mechanism struct {
	Name   string   `json:"name"`
	Code   uint     `json:"code"`
	MinKey uint     `json:"min_key,omitempty"` // in the mechanism's unit: bits, or bytes for some
	MaxKey uint     `json:"max_key,omitempty"`
	Can    []string `json:"can"` // generate, sign, wrap and so on, as far as assertd needs them
}

// Offer is what a token's list of mechanisms says about an algorithm. The list
// isn't the last word: tpm2-pkcs11, for example, signs PS256 without listing
// it.
type Offer struct {
	Alg      string `json:"alg"`
	Generate bool   `json:"generate"`
	Sign     bool   `json:"sign"`
	Hashes   bool   `json:"hashes,omitempty"` // signs only messages that it hashes itself
}

// noLimit is a size that no key has: some tokens have such limits where they
// mean none.
const noLimit = 1 << 20

// mechanismList reads the mechanisms that a token lists, with their limits. A
// mechanism that the token lists but doesn't describe is left without any.
func (m *module) mechanismList(slot uint) ([]Mechanism, error) {
	list, err := m.GetMechanismList(slot)
	if err != nil {
		return nil, callError("C_GetMechanismList", err)
	}
	all := make([]Mechanism, 0, len(list))
	for _, l := range list {
		found := Mechanism{Name: MechanismName(l.Mechanism), Code: l.Mechanism}
		if info, err := m.GetMechanismInfo(slot, []*pkcs11.Mechanism{l}); err == nil {
			found.Can = namesIn(info.Flags, mechanismFlags)
			if info.MaxKeySize < noLimit {
				found.MinKey, found.MaxKey = info.MinKeySize, info.MaxKeySize
			}
		}
		all = append(all, found)
	}
	return all, nil
}

// mechanismFlags are the flags of a mechanism (CK_MECHANISM_INFO) that say what
// it is for.
var mechanismFlags = []flagName{
	{pkcs11.CKF_GENERATE, "generate"}, {pkcs11.CKF_GENERATE_KEY_PAIR, "generate pair"}, {pkcs11.CKF_SIGN, "sign"},
	{pkcs11.CKF_VERIFY, "verify"}, {pkcs11.CKF_ENCRYPT, "encrypt"}, {pkcs11.CKF_DECRYPT, "decrypt"},
	{pkcs11.CKF_WRAP, "wrap"}, {pkcs11.CKF_UNWRAP, "unwrap"}, {pkcs11.CKF_DERIVE, "derive"}, {pkcs11.CKF_DIGEST, "digest"},
}

// mechanismSet is a token's list by code.
type mechanismSet map[uint]Mechanism

func setOf(list []Mechanism) mechanismSet {
	set := make(mechanismSet, len(list))
	for _, m := range list {
		set[m.Code] = m
	}
	return set
}

// takes reports whether the token lists a mechanism for keys of the size. A
// mechanism without limits takes all sizes.
func (s mechanismSet) takes(code uint, bits int) bool {
	m, listed := s[code]
	return listed && (m.MaxKey == 0 || bits == 0 || inBits(m, bits))
}

// inBits compares in bits and, since some modules count in bytes, in those.
func inBits(m Mechanism, bits int) bool {
	within := func(size int) bool { return m.MinKey <= uint(size) && uint(size) <= m.MaxKey }
	return within(bits) || m.MaxKey < 256 && within((bits+7)/8)
}

// offersOf says what a list of mechanisms means for each JOSE algorithm.
func offersOf(list []Mechanism) []Offer {
	set, all := setOf(list), []Offer{}
	for _, name := range jose.Names() {
		a, err := jose.Lookup(name)
		if err != nil {
			continue
		}
		raw, hashing, generator, bits := mechanismsFor(a)
		o := Offer{Alg: name, Generate: set.takes(generator, bits), Sign: set.takes(raw, bits)}
		if !o.Sign && set.takes(hashing, bits) {
			o.Sign, o.Hashes = true, true
		}
		all = append(all, o)
	}
	return all
}

// noMechanism is in no list.
const noMechanism = ^uint(0)

// mechanismsFor are the mechanisms for an algorithm: for a digest, for a
// message, and for a key pair of a size in bits. RSA has no one size.
func mechanismsFor(a jose.Algorithm) (raw, hashing, generator uint, bits int) {
	combined := combinedMechanisms[a.Hash]
	switch {
	case a.Kind == jose.RSA && a.PSS():
		return pkcs11.CKM_RSA_PKCS_PSS, combined.pss, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, 0
	case a.Kind == jose.RSA:
		return pkcs11.CKM_RSA_PKCS, combined.rsa, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, 0
	case a.Kind == jose.Ed25519:
		return ckmEdDSA, noMechanism, ckmEdwardsKeyPairGen, 0
	case a.Kind.Kty == jose.MLDSA65.Kty:
		return ckmMLDSA, noMechanism, ckmMLDSAKeyPairGen, 0
	case a.Kind.Curve() != nil:
		return pkcs11.CKM_ECDSA, combined.ecdsa, pkcs11.CKM_EC_KEY_PAIR_GEN, a.Kind.Curve().Params().BitSize
	}
	return noMechanism, noMechanism, noMechanism, 0
}

// makes describes the key pairs that a token makes, by its list, such as "RSA
// of 2048 to 4096 bits, EC of 256 to 521 bits".
func makes(list []Mechanism) string {
	set, text := setOf(list), []string{}
	for _, generator := range []struct {
		code uint
		name string
	}{{pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN, "RSA"}, {pkcs11.CKM_EC_KEY_PAIR_GEN, "EC"}, {ckmEdwardsKeyPairGen, "Ed25519"}, {ckmMLDSAKeyPairGen, "ML-DSA"}} {
		m, listed := set[generator.code]
		switch {
		case !listed:
		case m.MaxKey == 0 || generator.code == ckmEdwardsKeyPairGen || generator.code == ckmMLDSAKeyPairGen:
			text = append(text, generator.name)
		default:
			text = append(text, fmt.Sprintf("%s of %d to %d bits", generator.name, m.MinKey, m.MaxKey))
		}
	}
	if len(text) == 0 {
		return "nothing that assertd uses"
	}
	return enumerate(text, "and")
}

// enumerate joins words as a sentence does.
func enumerate(words []string, last string) string {
	n := len(words)
	if n < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:n-1], ", ") + " " + last + " " + words[n-1]
}

// lacks reports whether a token's list, if it has one, leaves out all of the
// mechanisms.
func lacks(list []Mechanism, codes ...uint) bool {
	return len(list) > 0 && !slices.ContainsFunc(list, func(m Mechanism) bool { return slices.Contains(codes, m.Code) })
}
