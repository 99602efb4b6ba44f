package profile

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
)

// Origin says which setting fills iss or sub.
type Origin string

// The origins of iss and sub.
const (
	// FromNothing leaves the claim out.
	FromNothing Origin = ""
	// FromClientID, FromIssuer and FromSubject are the grant's settings.
	FromClientID Origin = "client_id"
	FromIssuer   Origin = "issuer"
	FromSubject  Origin = "subject"
	// FromKeyID is the kid, where the receiver names keys itself.
	FromKeyID Origin = "key_id"
	// FromLiteral is the row's own Literal.
	FromLiteral Origin = "literal"
	// FromSubjectUpper is the grant's subject in upper case.
	FromSubjectUpper Origin = "upper-case subject"
	// FromSubjectKey is the grant's subject in upper case, followed by the
	// SHA-256 fingerprint of the public key.
	FromSubjectKey Origin = "upper-case subject and key fingerprint"
)

// Party says how a profile fills iss or sub.
type Party struct {
	From     Origin
	Literal  string
	Optional bool
	// Form says in words what the value must look like; Check tests it.
	Form  string
	Check func(value string) bool
}

// setting names the grant's setting that the party reads; empty for none.
func (p Party) setting() string {
	switch p.From {
	case FromSubjectUpper, FromSubjectKey:
		return string(FromSubject)
	case FromLiteral:
		return ""
	}
	return string(p.From)
}

// value gives the claim; an empty string leaves it out.
func (p Party) value(in Input) (string, error) {
	switch p.From {
	case FromClientID:
		return in.ClientID, nil
	case FromIssuer:
		return in.Issuer, nil
	case FromSubject:
		return in.Subject, nil
	case FromKeyID:
		return in.Kid, nil
	case FromLiteral:
		return p.Literal, nil
	case FromSubjectUpper:
		return strings.ToUpper(in.Subject), nil
	case FromSubjectKey:
		print, err := fingerprint(in)
		return strings.ToUpper(in.Subject) + "." + print, err
	}
	return "", nil
}

// fingerprint is SHA256: and the standard base64 of the hash of the public
// key's SubjectPublicKeyInfo, as Snowflake shows it in RSA_PUBLIC_KEY_FP.
func fingerprint(in Input) (string, error) {
	spki, err := x509.MarshalPKIXPublicKey(in.Public)
	if err != nil {
		return "", fmt.Errorf("%w: encode the public key: %w", ErrInput, err)
	}
	sum := sha256.Sum256(spki)
	return "SHA256:" + base64.StdEncoding.EncodeToString(sum[:]), nil
}

// claim gives the value to put under a claim name and holds it to the rule.
func (p Party) claim(profile, name string, in Input) (string, error) {
	value, err := p.value(in)
	if err != nil || p.From == FromNothing {
		return "", err
	}
	if value == "" {
		if p.Optional {
			return "", nil
		}
		return "", fmt.Errorf("%w: profile %s takes %s from %s, which is empty", ErrInput, profile, name, p.From)
	}
	if p.Check != nil && !p.Check(value) {
		return "", fmt.Errorf("%w: profile %s wants %s to be %s", ErrInput, profile, name, p.Form)
	}
	return value, nil
}
