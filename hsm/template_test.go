package hsm_test

import (
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// A token that refuses a template gets a leaner one. Custody then judges the
// key: SoftHSM allows SIGN_RECOVER unless told otherwise, so the leanest
// template makes a key there that is refused and destroyed.
func TestRefusedTemplateIsFollowedByALeanerOne(t *testing.T) {
	for name, test := range map[string]struct {
		typ      hsm.KeyType
		code     uint64
		refusals uint64
		calls    uint64
		works    bool
	}{
		"EC, once":          {hsm.P256, 0xD1, 1, 2, true},     // CKR_TEMPLATE_INCONSISTENT
		"EC, as a TPM does": {hsm.P256, 0x05, 1, 2, true},     // CKR_GENERAL_ERROR
		"EC, twice":         {hsm.P256, 0x12, 2, 3, false},    // CKR_ATTRIBUTE_TYPE_INVALID
		"EC, always":        {hsm.P256, 0x13, 3, 3, false},    // CKR_ATTRIBUTE_VALUE_INVALID
		"RSA, once":         {hsm.RSA2048, 0xD0, 1, 2, true},  // CKR_TEMPLATE_INCOMPLETE
		"Ed25519, its OID":  {hsm.Ed25519, 0x140, 1, 2, true}, // CKR_CURVE_NOT_SUPPORTED
		"another failure":   {hsm.P256, 0x30, 1, 1, false},    // CKR_DEVICE_ERROR
		"no such mechanism": {hsm.Ed25519, 0x70, 1, 1, false}, // CKR_MECHANISM_INVALID
	} {
		t.Run(name, func(t *testing.T) {
			soft, module := softhsm.New(t), faulty.Build(t)
			token := reopen(t, soft, throughModule(t, module))
			module.Set(t, "C_GenerateKeyPair", faulty.Fault{Action: faulty.Return, Code: test.code, Limit: test.refusals})
			_, err := token.Generate(hsm.Spec{Label: "key", Type: test.typ})
			if (err == nil) != test.works {
				t.Errorf("generated: %v", err)
			}
			if calls := module.Calls(t, "C_GenerateKeyPair"); calls != test.calls {
				t.Errorf("%d templates were tried, want %d", calls, test.calls)
			}
			if keys, err := token.Keys(); err != nil || (len(keys) == 1) != test.works {
				t.Errorf("the token has %d keys, %v", len(keys), err)
			}
		})
	}
}
