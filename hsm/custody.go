package hsm

import (
	"fmt"
	"strings"
)

// Flag is a boolean attribute as the token reports it.
type Flag uint8

// A token may not know an attribute, or not tell. That is Unknown, the zero
// value, and never counts as either of the others.
const (
	Unknown Flag = iota
	False
	True
)

// String returns "unknown", "false" or "true".
func (f Flag) String() string {
	switch f {
	case False:
		return "false"
	case True:
		return "true"
	}
	return "unknown"
}

// MarshalText returns the word that String returns.
func (f Flag) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText accepts only the words that String returns.
func (f *Flag) UnmarshalText(text []byte) error {
	for _, flag := range []Flag{Unknown, False, True} {
		if flag.String() == string(text) {
			*f = flag
			return nil
		}
	}
	return fmt.Errorf("hsm: %q isn't a flag; use unknown, false or true", text)
}

// Custody is how the token holds a private key: whether it can leave, and what
// it may be used for.
type Custody struct {
	Extractable, Sensitive            Flag
	NeverExtractable, AlwaysSensitive Flag // since it was made; false for a key that was imported
	Private                           Flag // visible only after login
	Sign                              Flag
	Decrypt, Unwrap, Derive           Flag
	SignRecover                       Flag
	AlwaysAuthenticate                Flag // needs the PIN again for every signature
	Local                             Flag // made on the token
}

type custodyRule struct {
	attribute string
	has, want Flag
}

func (c Custody) rules() []custodyRule {
	return []custodyRule{
		{"CKA_EXTRACTABLE", c.Extractable, False},
		{"CKA_SENSITIVE", c.Sensitive, True},
		{"CKA_PRIVATE", c.Private, True},
		{"CKA_SIGN", c.Sign, True},
		{"CKA_DECRYPT", c.Decrypt, False},
		{"CKA_UNWRAP", c.Unwrap, False},
		{"CKA_DERIVE", c.Derive, False},
		{"CKA_SIGN_RECOVER", c.SignRecover, False},
	}
}

// originRules are those that only a key meets that was always on the token.
func (c Custody) originRules() []custodyRule {
	return []custodyRule{
		{"CKA_NEVER_EXTRACTABLE", c.NeverExtractable, True},
		{"CKA_ALWAYS_SENSITIVE", c.AlwaysSensitive, True},
		{"CKA_LOCAL", c.Local, True},
	}
}

// Check refuses a key that is extractable, not sensitive, usable without the
// PIN, or able to do more than sign. It also refuses a key if the token doesn't
// tell one of these attributes. The error is ErrCustody and names each
// offending attribute with its value.
func (c Custody) Check() error {
	return checkFlags(c.rules())
}

// checkNew is Check for a key that was just generated, which must meet stricter
// rules.
func (c Custody) checkNew() error {
	return checkFlags(append(c.rules(), c.originRules()...))
}

// imported reports whether the key was, or may have been, outside the token.
func (c Custody) imported() bool { return checkFlags(c.originRules()) != nil }

func checkFlags(rules []custodyRule) error {
	var offending []string
	for _, rule := range rules {
		if rule.has != rule.want {
			offending = append(offending, fmt.Sprintf("%s is %s and must be %s", rule.attribute, rule.has, rule.want))
		}
	}
	if offending == nil {
		return nil
	}
	return fail(ErrCustody, nil, "the key isn't held securely: %s; generate a new key to replace it",
		strings.Join(offending, ", "))
}
