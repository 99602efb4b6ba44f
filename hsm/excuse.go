package hsm

import (
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/pkcs11"
)

// Excuse is an attribute whose value custody would refuse, and why the key is
// accepted all the same.
type Excuse struct {
	Attribute string `json:"attribute"`
	Has       Flag   `json:"has"`
	Why       string `json:"why"` // the name of a quirk, or "accept_unknown"
}

func (e Excuse) String() string { return fmt.Sprintf("%s is %s (%s)", e.Attribute, e.Has, e.Why) }

// excuse is a value of an attribute that a provider's keys always have.
type excuse struct {
	attribute uint
	has       Flag
	kinds     []uint // CKK_; nil for all
}

// acceptUnknown is what Excuse.Why says of Config.AcceptUnknown.
const acceptUnknown = "accept_unknown"

// acceptable are the attributes that Config.AcceptUnknown may name. The others
// say whether the key can leave the token, and are never excused.
var acceptable = []string{
	"CKA_PRIVATE", "CKA_SIGN", "CKA_DECRYPT", "CKA_DERIVE", "CKA_SIGN_RECOVER", "CKA_ALWAYS_SENSITIVE", "CKA_LOCAL",
}

// Acceptable lists the attributes that Config.AcceptUnknown may name.
func Acceptable() []string { return slices.Clone(acceptable) }

// checkAcceptUnknown refuses attributes that are never excused.
func checkAcceptUnknown(names []string) error {
	for _, name := range names {
		if !slices.Contains(acceptable, name) {
			return fmt.Errorf("hsm: %s can't be accepted when it is unknown; only %s can", name, strings.Join(acceptable, ", "))
		}
	}
	return nil
}

// judgement decides custody with the excuses that a token has.
type judgement struct {
	provider provider
	unknown  []string // Config.AcceptUnknown
}

// excuse returns the excuses for a key's custody, and the custody that is left
// to be checked. allowed is the key's CKA_ALLOWED_MECHANISMS.
func (j judgement) excuse(c Custody, kind uint, allowed []uint) (left Custody, excuses []Excuse) {
	left = c
	for _, rule := range append(c.rules(), c.originRules()...) {
		if rule.has == rule.want {
			continue
		}
		why := j.why(rule, kind, allowed)
		if why == "" {
			continue
		}
		*flagNamed(&left, rule.attribute) = rule.want
		excuses = append(excuses, Excuse{rule.attribute, rule.has, why})
	}
	return left, excuses
}

// why names what excuses an attribute; empty if nothing does.
func (j judgement) why(rule custodyRule, kind uint, allowed []uint) string {
	for _, q := range j.provider.quirks {
		if q.excuse.covers(rule, kind) && (!moreThanSigns(rule) || onlySigns(allowed)) {
			return q.Name
		}
	}
	if rule.has == Unknown && slices.Contains(j.unknown, rule.attribute) && slices.Contains(acceptable, rule.attribute) {
		return acceptUnknown
	}
	return ""
}

func (e excuse) covers(rule custodyRule, kind uint) bool {
	return e.attribute != 0 && attributeName(e.attribute) == rule.attribute && e.has == rule.has &&
		(e.kinds == nil || slices.Contains(e.kinds, kind))
}

// moreThanSigns reports whether a rule is broken by a key that can do more than
// sign. A quirk excuses that only for a key whose mechanisms can't.
func moreThanSigns(rule custodyRule) bool {
	return rule.attribute == "CKA_DERIVE" || rule.attribute == "CKA_DECRYPT"
}

// signatures are the mechanisms that only sign. CKM_RSA_PKCS and CKM_RSA_X_509
// aren't among them: they decrypt too.
var signatures = []uint{
	pkcs11.CKM_ECDSA, pkcs11.CKM_ECDSA_SHA1, pkcs11.CKM_ECDSA_SHA224, pkcs11.CKM_ECDSA_SHA256, pkcs11.CKM_ECDSA_SHA384,
	pkcs11.CKM_ECDSA_SHA512, ckmEdDSA, ckmMLDSA,
	pkcs11.CKM_RSA_PKCS_PSS, pkcs11.CKM_SHA1_RSA_PKCS, pkcs11.CKM_SHA224_RSA_PKCS, pkcs11.CKM_SHA256_RSA_PKCS,
	pkcs11.CKM_SHA384_RSA_PKCS, pkcs11.CKM_SHA512_RSA_PKCS, pkcs11.CKM_SHA1_RSA_PKCS_PSS, pkcs11.CKM_SHA224_RSA_PKCS_PSS,
	pkcs11.CKM_SHA256_RSA_PKCS_PSS, pkcs11.CKM_SHA384_RSA_PKCS_PSS, pkcs11.CKM_SHA512_RSA_PKCS_PSS,
}

// onlySigns reports whether a key's mechanisms are known and all of them only
// sign.
func onlySigns(allowed []uint) bool {
	return len(allowed) > 0 && !slices.ContainsFunc(allowed, func(m uint) bool { return !slices.Contains(signatures, m) })
}
