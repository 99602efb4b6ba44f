package profile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// AudienceForm is how aud is encoded.
type AudienceForm string

// The forms of aud.
const (
	AudienceString AudienceForm = "string"
	// AudienceArray is an array with one element.
	AudienceArray AudienceForm = "array"
	// AudienceNone leaves aud out.
	AudienceNone AudienceForm = "none"
)

// AudienceRule says what a profile accepts as its audience. aud is always one
// value, and always exactly the grant's.
type AudienceRule struct {
	Form AudienceForm
	// Values are the only allowed values; empty allows any. If there is just
	// one, it is the default of a grant without audiences.
	Values []string
	// Description says what the value must be, Summary the same in a word or
	// two. Check returns what is wrong with a value.
	Description, Summary string
	Check                func(value string) error
}

// defaultValue is the only allowed value, or empty if there are several.
func (r AudienceRule) defaultValue() string {
	if len(r.Values) == 1 {
		return r.Values[0]
	}
	return ""
}

// check returns what is wrong with a value, as in "is empty", or nil.
func (r AudienceRule) check(value string) error {
	switch {
	case r.Form == AudienceNone:
		return errors.New("is not allowed")
	case value == "":
		return errors.New("is empty")
	case strings.ContainsFunc(value, notPrintable):
		return errors.New("contains a space or a control character")
	case len(r.Values) > 0 && !slices.Contains(r.Values, value):
		return fmt.Errorf("must be %s", strings.Join(r.Values, " or "))
	case r.Check != nil:
		return r.Check(value)
	}
	return nil
}

func notPrintable(r rune) bool { return r <= ' ' || r == 0x7f }

// claim returns the aud claim; nil leaves it out.
func (r AudienceRule) claim(profile, value string) (any, error) {
	if r.Form == AudienceNone && value == "" {
		return nil, nil
	}
	if value == "" {
		value = r.defaultValue()
	}
	if err := r.check(value); err != nil {
		return nil, fmt.Errorf("%w: profile %s: the audience %w", ErrInput, profile, err)
	}
	if r.Form == AudienceArray {
		return []string{value}, nil
	}
	return value, nil
}

func literalAudience(form AudienceForm, values ...string) AudienceRule {
	text := strings.Join(values, " or ")
	return AudienceRule{Form: form, Values: values, Description: text, Summary: text}
}

func issuerAudience() AudienceRule {
	return AudienceRule{
		Form: AudienceString, Summary: "issuer", Check: issuerURL,
		Description: "the issuer identifier, not the token endpoint",
	}
}

func tokenAudience() AudienceRule {
	return AudienceRule{Form: AudienceString, Summary: "token URL", Description: "the token endpoint URL", Check: endpointURL}
}

func issuerOrTokenAudience() AudienceRule {
	return AudienceRule{
		Form: AudienceString, Summary: "issuer or token URL", Check: endpointURL,
		Description: "the issuer or the token endpoint URL, whichever the receiver expects",
	}
}
