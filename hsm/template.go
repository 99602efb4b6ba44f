package hsm

import (
	"slices"

	"github.com/miekg/pkcs11"
)

// keyTemplate is one way to ask for a key pair.
type keyTemplate struct {
	lean            int  // the index of what was omitted
	full            bool // nothing was
	mechanism       *pkcs11.Mechanism
	public, private []*pkcs11.Attribute
}

// leaner are the attributes that the templates leave out, one set after the
// other, until the token takes one. Leaving them out weakens nothing: what the
// token then made is read back, and custody judges that.
var leaner = [][]uint{
	nil,
	{pkcs11.CKA_VERIFY, pkcs11.CKA_ENCRYPT},
	{pkcs11.CKA_VERIFY, pkcs11.CKA_ENCRYPT, pkcs11.CKA_VERIFY_RECOVER, pkcs11.CKA_SIGN_RECOVER},
}

// generation is how a provider wants to be asked for a key pair.
type generation struct {
	omits       []uint // attributes that it refuses
	namesCurves bool   // Edwards curves by the name of PKCS#11 v3.0 only, not by OID
}

// omissions are the provider's own, if a row of the table has them, and then
// the others: the row may be about another version of the module.
func (p provider) omissions() [][]uint {
	if own := p.generation().omits; own != nil {
		return append([][]uint{own}, leaner...)
	}
	return leaner
}

// generation is the zero value for a provider that takes the full template.
func (p provider) generation() generation {
	for _, q := range p.quirks {
		if q.generation.omits != nil || q.generation.namesCurves {
			return q.generation
		}
	}
	return generation{}
}

// templateRefusals are the codes with which a token refuses a template.
// tpm2-pkcs11 has only CKR_GENERAL_ERROR for it.
var templateRefusals = []uint{
	pkcs11.CKR_TEMPLATE_INCONSISTENT, pkcs11.CKR_TEMPLATE_INCOMPLETE,
	pkcs11.CKR_ATTRIBUTE_TYPE_INVALID, pkcs11.CKR_ATTRIBUTE_VALUE_INVALID, pkcs11.CKR_ATTRIBUTE_READ_ONLY,
	pkcs11.CKR_DOMAIN_PARAMS_INVALID, ckrCurveNotSupported, pkcs11.CKR_GENERAL_ERROR,
}

// typeRefusals are the codes with which a token may refuse the type of key.
var typeRefusals = []uint{
	pkcs11.CKR_MECHANISM_INVALID, pkcs11.CKR_MECHANISM_PARAM_INVALID, pkcs11.CKR_KEY_SIZE_RANGE,
	pkcs11.CKR_DOMAIN_PARAMS_INVALID, ckrCurveNotSupported,
}

// refusesTemplate reports whether another template may succeed.
func refusesTemplate(err error) bool { return hasCode(err, templateRefusals...) }

// templates are the ways to ask for a key pair: the provider's own, and then
// the strictest first.
func (p provider) templates(spec Spec) (all []keyTemplate, err error) {
	kind, generator := generatorOf(spec.Type)
	parameters, err := keyParameters(spec.Type)
	if err != nil {
		return nil, err
	}
	if p.generation().namesCurves {
		slices.Reverse(parameters)
	}
	names := append(named(spec.Label, spec.ID), pkcs11.NewAttribute(pkcs11.CKA_KEY_TYPE, kind))
	for lean, omitted := range p.omissions() {
		for _, parameter := range parameters {
			all = append(all, keyTemplate{
				lean:      lean,
				full:      omitted == nil,
				mechanism: pkcs11.NewMechanism(generator, nil),
				public:    without(omitted, slices.Concat(publicTemplate(), names, parameter)),
				private:   without(omitted, slices.Concat(privateTemplate(), names)),
			})
		}
	}
	return all, nil
}

// generatorOf is the CKK_ of a type, and the mechanism that makes it.
func generatorOf(typ KeyType) (kind, generator uint) {
	switch {
	case typ.bits() > 0:
		return pkcs11.CKK_RSA, pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN
	case typ == Ed25519:
		return ckkEdwards, ckmEdwardsKeyPairGen
	case typ.parameterSet() > 0:
		return ckkMLDSA, ckmMLDSAKeyPairGen
	}
	return pkcs11.CKK_EC, pkcs11.CKM_EC_KEY_PAIR_GEN
}

// keyParameters are the ways to describe the type: RSA's modulus and exponent,
// ML-DSA's parameter set, or the curve.
func keyParameters(typ KeyType) (all [][]*pkcs11.Attribute, err error) {
	if bits := typ.bits(); bits > 0 {
		return [][]*pkcs11.Attribute{{
			pkcs11.NewAttribute(pkcs11.CKA_MODULUS_BITS, bits),
			pkcs11.NewAttribute(pkcs11.CKA_PUBLIC_EXPONENT, []byte{1, 0, 1}),
		}}, nil
	}
	if set := typ.parameterSet(); set > 0 {
		return [][]*pkcs11.Attribute{{pkcs11.NewAttribute(ckaParameterSet, set)}}, nil
	}
	curves, err := ecParams(typ)
	for _, params := range curves {
		all = append(all, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_EC_PARAMS, params)})
	}
	return all, err
}

func without(omitted []uint, template []*pkcs11.Attribute) []*pkcs11.Attribute {
	return slices.DeleteFunc(template, func(a *pkcs11.Attribute) bool { return slices.Contains(omitted, a.Type) })
}

func publicTemplate() []*pkcs11.Attribute {
	return tokenObjects(pkcs11.CKO_PUBLIC_KEY,
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY, true),
		pkcs11.NewAttribute(pkcs11.CKA_VERIFY_RECOVER, false),
		pkcs11.NewAttribute(pkcs11.CKA_ENCRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_WRAP, false),
	)
}

func privateTemplate() []*pkcs11.Attribute {
	return privateKeys(
		pkcs11.NewAttribute(pkcs11.CKA_PRIVATE, true),
		pkcs11.NewAttribute(pkcs11.CKA_SENSITIVE, true),
		pkcs11.NewAttribute(pkcs11.CKA_EXTRACTABLE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN, true),
		pkcs11.NewAttribute(pkcs11.CKA_DECRYPT, false),
		pkcs11.NewAttribute(pkcs11.CKA_UNWRAP, false),
		pkcs11.NewAttribute(pkcs11.CKA_DERIVE, false),
		pkcs11.NewAttribute(pkcs11.CKA_SIGN_RECOVER, false),
	)
}
