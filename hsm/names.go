package hsm

import (
	"fmt"

	"github.com/miekg/pkcs11"
)

// codeNames are the return values that miekg/pkcs11 has no names for: those of
// PKCS#11 2.40 that it forgot, and those of 3.0 to 3.2.
var codeNames = map[uint]string{
	0x1B:  "CKR_ACTION_PROHIBITED",
	0x42:  "CKR_AEAD_DECRYPT_FAILED",
	0x140: "CKR_CURVE_NOT_SUPPORTED",
	0x1B5: "CKR_EXCEEDED_MAX_ITERATIONS",
	0x1B6: "CKR_FIPS_SELF_TEST_FAILED",
	0x1B7: "CKR_LIBRARY_LOAD_FAILED",
	0x1B8: "CKR_PIN_TOO_WEAK",
	0x1B9: "CKR_PUBLIC_KEY_INVALID",
	0x201: "CKR_TOKEN_RESOURCE_EXCEEDED",
	0x202: "CKR_OPERATION_CANCEL_FAILED",
	0x203: "CKR_KEY_EXHAUSTED",
	0x204: "CKR_PENDING",
	0x205: "CKR_SESSION_ASYNC_NOT_SUPPORTED",
	0x206: "CKR_SEED_RANDOM_REQUIRED",
	0x207: "CKR_OPERATION_NOT_VALIDATED",
	0x208: "CKR_TOKEN_NOT_INITIALIZED",
	0x209: "CKR_PARAMETER_SET_NOT_SUPPORTED",
}

// CodeName returns the name of a CKR_ value, or the number of one that isn't in
// the standard.
func CodeName(code uint) string {
	if name := codeNames[code]; name != "" {
		return name
	}
	text := pkcs11.Error(code).Error() // "pkcs11: 0xA0: CKR_PIN_INCORRECT", without the name if unknown
	var number, name string
	if n, _ := fmt.Sscanf(text, "pkcs11: %s %s", &number, &name); n == 2 {
		return name
	}
	return fmt.Sprintf("CKR 0x%X", code)
}

// mechanismNames are the mechanisms that assertd uses, and those that say what
// else a token is for.
var mechanismNames = map[uint]string{
	pkcs11.CKM_RSA_PKCS_KEY_PAIR_GEN: "CKM_RSA_PKCS_KEY_PAIR_GEN", pkcs11.CKM_RSA_X9_31_KEY_PAIR_GEN: "CKM_RSA_X9_31_KEY_PAIR_GEN",
	pkcs11.CKM_RSA_PKCS: "CKM_RSA_PKCS", pkcs11.CKM_RSA_X_509: "CKM_RSA_X_509", pkcs11.CKM_RSA_PKCS_OAEP: "CKM_RSA_PKCS_OAEP",
	pkcs11.CKM_RSA_PKCS_PSS: "CKM_RSA_PKCS_PSS", pkcs11.CKM_RSA_AES_KEY_WRAP: "CKM_RSA_AES_KEY_WRAP",
	pkcs11.CKM_SHA1_RSA_PKCS: "CKM_SHA1_RSA_PKCS", pkcs11.CKM_SHA224_RSA_PKCS: "CKM_SHA224_RSA_PKCS",
	pkcs11.CKM_SHA256_RSA_PKCS: "CKM_SHA256_RSA_PKCS", pkcs11.CKM_SHA384_RSA_PKCS: "CKM_SHA384_RSA_PKCS",
	pkcs11.CKM_SHA512_RSA_PKCS: "CKM_SHA512_RSA_PKCS", pkcs11.CKM_SHA1_RSA_PKCS_PSS: "CKM_SHA1_RSA_PKCS_PSS",
	pkcs11.CKM_SHA224_RSA_PKCS_PSS: "CKM_SHA224_RSA_PKCS_PSS", pkcs11.CKM_SHA256_RSA_PKCS_PSS: "CKM_SHA256_RSA_PKCS_PSS",
	pkcs11.CKM_SHA384_RSA_PKCS_PSS: "CKM_SHA384_RSA_PKCS_PSS", pkcs11.CKM_SHA512_RSA_PKCS_PSS: "CKM_SHA512_RSA_PKCS_PSS",
	pkcs11.CKM_EC_KEY_PAIR_GEN: "CKM_EC_KEY_PAIR_GEN", pkcs11.CKM_ECDSA: "CKM_ECDSA", pkcs11.CKM_ECDSA_SHA1: "CKM_ECDSA_SHA1",
	pkcs11.CKM_ECDSA_SHA224: "CKM_ECDSA_SHA224", pkcs11.CKM_ECDSA_SHA256: "CKM_ECDSA_SHA256",
	pkcs11.CKM_ECDSA_SHA384: "CKM_ECDSA_SHA384", pkcs11.CKM_ECDSA_SHA512: "CKM_ECDSA_SHA512",
	pkcs11.CKM_ECDH1_DERIVE: "CKM_ECDH1_DERIVE", ckmEdwardsKeyPairGen: "CKM_EC_EDWARDS_KEY_PAIR_GEN", ckmEdDSA: "CKM_EDDSA",
	0x1056: "CKM_EC_MONTGOMERY_KEY_PAIR_GEN", ckmMLDSAKeyPairGen: "CKM_ML_DSA_KEY_PAIR_GEN", ckmMLDSA: "CKM_ML_DSA",
	pkcs11.CKM_AES_KEY_GEN: "CKM_AES_KEY_GEN", pkcs11.CKM_AES_ECB: "CKM_AES_ECB", pkcs11.CKM_AES_CBC: "CKM_AES_CBC",
	pkcs11.CKM_AES_CBC_PAD: "CKM_AES_CBC_PAD", pkcs11.CKM_AES_GCM: "CKM_AES_GCM", pkcs11.CKM_AES_KEY_WRAP: "CKM_AES_KEY_WRAP",
	pkcs11.CKM_AES_KEY_WRAP_PAD: "CKM_AES_KEY_WRAP_PAD", ckmAESKeyWrapKWP: "CKM_AES_KEY_WRAP_KWP",
	pkcs11.CKM_SHA_1: "CKM_SHA_1", pkcs11.CKM_SHA224: "CKM_SHA224", pkcs11.CKM_SHA256: "CKM_SHA256", pkcs11.CKM_SHA384: "CKM_SHA384",
	pkcs11.CKM_SHA512: "CKM_SHA512", pkcs11.CKM_GENERIC_SECRET_KEY_GEN: "CKM_GENERIC_SECRET_KEY_GEN",
}

// ckmAESKeyWrapKWP is of PKCS#11 v3.0: RFC 5649 under its own name.
const ckmAESKeyWrapKWP = 0x210B

// MechanismName returns the name of a CKM_ value, or the number of one that
// assertd has no use for.
func MechanismName(code uint) string {
	if name := mechanismNames[code]; name != "" {
		return name
	}
	return fmt.Sprintf("CKM 0x%X", code)
}

// keyTypeNames are the types of private keys that assertd has no use for.
var keyTypeNames = map[uint]string{
	pkcs11.CKK_DSA: "CKK_DSA", pkcs11.CKK_DH: "CKK_DH", 0x41: "CKK_EC_MONTGOMERY", 0x46: "CKK_HSS", 0x47: "CKK_XMSS", 0x48: "CKK_XMSSMT",
	0x49: "CKK_ML_KEM", 0x4B: "CKK_SLH_DSA",
}

// keyTypeName returns the name of a CKK_ value, or its number.
func keyTypeName(kind uint) string {
	if name := keyTypeNames[kind]; name != "" {
		return name
	}
	return fmt.Sprintf("0x%X", kind)
}

func namesOf(codes []uint) []string {
	names := make([]string, len(codes))
	for i, code := range codes {
		names[i] = MechanismName(code)
	}
	return names
}

// flagName is a CKF_ value and how people read it.
type flagName struct {
	flag uint
	name string
}

// namesIn lists the names of the flags that are set.
func namesIn(flags uint, table []flagName) []string {
	names := []string{}
	for _, f := range table {
		if flags&f.flag != 0 {
			names = append(names, f.name)
		}
	}
	return names
}
