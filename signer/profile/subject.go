package profile

import (
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/assertd/assertd/internal/jose"
)

// Origin is where iss or sub comes from.
type Origin string

// The origins of iss and sub.
const (
	// FromNothing leaves the claim out.
	FromNothing Origin = ""
	// FromClientID, FromIssuer and FromSubject are the grant's settings.
	FromClientID Origin = "client_id"
	FromIssuer   Origin = "issuer"
	FromSubject  Origin = "subject"
	// FromKeyID is the kid, for receivers that assign it.
	FromKeyID Origin = "key_id"
	// FromLiteral is the rule's own Literal.
	FromLiteral Origin = "literal"
	// FromSubjectUpper is the grant's subject in upper case.
	FromSubjectUpper Origin = "upper-case subject"
	// FromSubjectKey is the grant's subject in upper case, followed by the
	// SHA-256 fingerprint of the public key.
	FromSubjectKey Origin = "upper-case subject and key fingerprint"
)

// SubjectRule says how a profile fills iss or sub.
type SubjectRule struct {
	From     Origin
	Literal  string
	Optional bool
	// Format says what the value must look like. Check tests it.
	Format string
	Check  func(value string) bool
}

// setting is the name of the grant's setting that the rule reads; empty if
// none.
func (r SubjectRule) setting() string {
	switch r.From {
	case FromSubjectUpper, FromSubjectKey:
		return string(FromSubject)
	case FromLiteral:
		return ""
	}
	return string(r.From)
}

// value returns the claim; an empty string leaves it out.
func (r SubjectRule) value(in Input) (string, error) {
	switch r.From {
	case FromClientID:
		return in.ClientID, nil
	case FromIssuer:
		return in.Issuer, nil
	case FromSubject:
		return in.Subject, nil
	case FromKeyID:
		return in.Kid, nil
	case FromLiteral:
		return r.Literal, nil
	case FromSubjectUpper:
		return strings.ToUpper(in.Subject), nil
	case FromSubjectKey:
		print, err := fingerprint(in)
		return strings.ToUpper(in.Subject) + "." + print, err
	}
	return "", nil
}

// fingerprint returns SHA256: and the standard base64 of the hash of the public
// key's SubjectPublicKeyInfo, as Snowflake shows it in RSA_PUBLIC_KEY_FP.
func fingerprint(in Input) (string, error) {
	sum, err := jose.Fingerprint(in.Public)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrInput, err)
	}
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), nil
}

// claim returns the value of iss or sub, checked against the rule.
func (r SubjectRule) claim(profile, name string, in Input) (string, error) {
	value, err := r.value(in)
	if err != nil || r.From == FromNothing {
		return "", err
	}
	if value == "" {
		if r.Optional {
			return "", nil
		}
		return "", fmt.Errorf("%w: profile %s takes %s from %s, which is empty", ErrInput, profile, name, r.From)
	}
	if r.Check != nil && !r.Check(value) {
		return "", fmt.Errorf("%w: profile %s requires %s to be %s", ErrInput, profile, name, r.Format)
	}
	return value, nil
}
