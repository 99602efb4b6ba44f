// Package serviceaccount reads the claims of a Kubernetes service account's
// token. kube-apiserver writes them, and has them signed as they are. So
// everything that a verifier may go by is read here first, strictly, and held
// to limits.
package serviceaccount

import (
	"encoding/base64"
	"strings"
	"unicode"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/assertd/assertd/ipc"
)

// Limits on claims. Those of kube-apiserver have about 500 bytes; the names in
// them can make that 3 KiB.
const (
	// MaxPayload is the maximum length of the claims as they are signed, in
	// base64url.
	MaxPayload   = 8 << 10
	maxAudiences = 32
	maxAudience  = 512 // bytes, as in policy
	maxText      = 512 // bytes of iss and jti
)

// Error says why claims are not signed. Its detail is a sentence for those who
// asked the cluster for a token. It has nothing of the daemon's.
type Error struct {
	Code   ipc.Code
	Detail string
}

// Error returns the detail.
func (e *Error) Error() string { return e.Detail }

func malformed(detail string) error { return &Error{ipc.CodeMalformedRequest, detail} }

// Claims are those of a token that policy looks at.
type Claims struct {
	Issuer                         string
	Namespace, Name                string // of the service account
	Audiences                      []string
	ID                             string // jti; may be empty
	IssuedAt, NotBefore, ExpiresAt int64  // seconds since 1970
}

// wire are the members that claims can have, by exact name. A member that is
// not here is refused: a receiver that trusts the issuer may go by it.
type wire struct {
	Issuer    string                    `json:"iss"`
	Subject   string                    `json:"sub"`
	Audiences []string                  `json:"aud"`
	ID        string                    `json:"jti"`
	IssuedAt  int64                     `json:"iat"`
	NotBefore int64                     `json:"nbf"`
	ExpiresAt int64                     `json:"exp"`
	Private   map[string]jsontext.Value `json:"kubernetes.io"`
}

// Parse reads the claims of a token: the second part of a compact JWS (RFC 7515
// section 7.1). It refuses, with an *Error, what two readers could read in two
// ways: repeated members, members in another case, other forms of base64, bytes
// after the value.
func Parse(payload string) (Claims, error) {
	text, err := decode(payload)
	if err != nil {
		return Claims{}, err
	}
	var w wire
	if err := json.Unmarshal(text, &w, json.RejectUnknownMembers(true)); err != nil {
		return Claims{}, malformed("The token's claims are not a JSON object with exactly the members of a service account's token.")
	}
	c := Claims{
		Issuer: w.Issuer, Audiences: w.Audiences, ID: w.ID, IssuedAt: w.IssuedAt, NotBefore: w.NotBefore, ExpiresAt: w.ExpiresAt,
	}
	if err := c.readSubject(w); err != nil {
		return Claims{}, err
	}
	return c, c.checkTexts()
}

// decode accepts one encoding per value. Go's decoder skips line breaks.
func decode(payload string) ([]byte, error) {
	if len(payload) > MaxPayload {
		return nil, &Error{ipc.CodeRequestTooLarge, "The token's claims are too large. Ask for fewer audiences."}
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil || strings.ContainsAny(payload, "\r\n") {
		return nil, malformed("The token's claims are not in base64url.")
	}
	return text, nil
}

const subjectPrefix = "system:serviceaccount:"

// readSubject reads the service account, which the claims have twice: as sub,
// which other receivers go by, and in kubernetes.io, which kube-apiserver goes
// by. Both must be the same.
func (c *Claims) readSubject(w wire) error {
	rest, found := strings.CutPrefix(w.Subject, subjectPrefix)
	namespace, name, _ := strings.Cut(rest, ":")
	if !found || !isName(namespace) || !isName(name) {
		return malformed("The token's subject is not a service account.")
	}
	c.Namespace, c.Name = namespace, name
	var account map[string]jsontext.Value
	err := json.Unmarshal(exact(w.Private, "serviceaccount"), &account)
	if err != nil || !is(exact(w.Private, "namespace"), namespace) || !is(exact(account, "name"), name) {
		return malformed("The token's claim kubernetes.io names another service account than its subject.")
	}
	return nil
}

// exact returns a member, or nothing if there is another that a reader who
// ignores case would take for it.
func exact(members map[string]jsontext.Value, name string) jsontext.Value {
	for other := range members {
		if other != name && strings.EqualFold(other, name) {
			return nil
		}
	}
	return members[name]
}

// is reports whether a JSON value is a string with this text.
func is(value jsontext.Value, text string) bool {
	var found string
	return value != nil && value.Kind() == '"' && json.Unmarshal(value, &found) == nil && found == text
}

// isName reports whether text has only the characters of a DNS subdomain (RFC
// 1123), as names in Kubernetes do.
func isName(text string) bool {
	unfit := func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '.' }
	return text != "" && len(text) <= 253 && !strings.ContainsFunc(text, unfit)
}

// checkTexts refuses what does not belong in a record.
func (c *Claims) checkTexts() error {
	if len(c.Audiences) == 0 {
		return malformed("The token has no audience.")
	}
	if len(c.Audiences) > maxAudiences {
		return &Error{ipc.CodeRequestTooLarge, "The token has too many audiences. Ask for fewer."}
	}
	for _, audience := range c.Audiences {
		if audience == "" || len(audience) > maxAudience || strings.ContainsFunc(audience, unicode.IsControl) {
			return malformed("An audience of the token is empty, too long, or has control characters.")
		}
	}
	if len(c.ID) > maxText || strings.ContainsFunc(c.ID, unicode.IsControl) {
		return malformed("The token's ID is too long, or has control characters.")
	}
	return nil
}

// Subject is the claim sub.
func (c Claims) Subject() string { return subjectPrefix + c.Namespace + ":" + c.Name }
