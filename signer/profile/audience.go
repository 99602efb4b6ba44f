package profile

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// AudienceForm says how aud is written.
type AudienceForm string

// The forms of aud.
const (
	AudienceString AudienceForm = "string"
	// AudienceArray is an array with one member.
	AudienceArray AudienceForm = "array"
	// AudienceNone leaves aud out.
	AudienceNone AudienceForm = "none"
)

// AudienceRule says what a profile takes as its audience. aud is always one
// value, and always exactly the grant's.
type AudienceRule struct {
	Form AudienceForm
	// Values are the only values taken; a grant without audiences gets the one
	// value where there is just one.
	Values []string
	// Is says in words what the value must be, Short in a word or two; Check
	// tests it and returns what is wrong with it.
	Is, Short string
	Check     func(value string) error
}

// fixed is the one value of a rule that takes no other.
func (r AudienceRule) fixed() string {
	if len(r.Values) == 1 {
		return r.Values[0]
	}
	return ""
}

// check says what is wrong with a value, or nothing.
func (r AudienceRule) check(value string) error {
	switch {
	case r.Form == AudienceNone:
		return fmt.Errorf("the profile writes no aud")
	case value == "":
		return fmt.Errorf("it is empty")
	case strings.ContainsFunc(value, notPrintable):
		return fmt.Errorf("it holds a space or a control character")
	case len(r.Values) > 0 && !slices.Contains(r.Values, value):
		return fmt.Errorf("only %s is taken", strings.Join(r.Values, " or "))
	case r.Check != nil:
		return r.Check(value)
	}
	return nil
}

func notPrintable(r rune) bool { return r <= ' ' || r == 0x7f }

// claim gives the aud claim; nil leaves it out.
func (r AudienceRule) claim(profile, value string) (any, error) {
	if r.Form == AudienceNone && value == "" {
		return nil, nil
	}
	if value == "" {
		value = r.fixed()
	}
	if err := r.check(value); err != nil {
		return nil, fmt.Errorf("%w: profile %s: audience: %w", ErrInput, profile, err)
	}
	if r.Form == AudienceArray {
		return []string{value}, nil
	}
	return value, nil
}

func literalAudience(form AudienceForm, values ...string) AudienceRule {
	text := strings.Join(values, " or ")
	return AudienceRule{Form: form, Values: values, Is: text, Short: text}
}

func issuerAudience() AudienceRule {
	return AudienceRule{
		Form: AudienceString, Short: "issuer", Check: issuerURL,
		Is: "the issuer identifier, not the token endpoint",
	}
}

func tokenAudience() AudienceRule {
	return AudienceRule{Form: AudienceString, Short: "token URL", Is: "the token endpoint's URL", Check: endpointURL}
}

func issuerOrTokenAudience() AudienceRule {
	return AudienceRule{
		Form: AudienceString, Short: "issuer or token URL", Check: endpointURL,
		Is: "the issuer or the token endpoint's URL, as the receiver wants",
	}
}

// absoluteURL refuses everything but an https URL without fragment and user
// information. http is taken for loopback hosts alone, where test servers are.
func absoluteURL(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("it is not an absolute URL")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		return nil, fmt.Errorf("it must start with https://")
	case u.User != nil:
		return nil, fmt.Errorf("it must not hold a user name")
	case strings.Contains(value, "#"):
		return nil, fmt.Errorf("it must not hold a fragment")
	}
	return u, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// endpointURL takes a URL that may have a query (RFC 6749 section 3.2).
func endpointURL(value string) error {
	_, err := absoluteURL(value)
	return err
}

// plainURL takes a URL with neither query nor fragment.
func plainURL(value string) error {
	_, err := absoluteURL(value)
	if err == nil && strings.Contains(value, "?") {
		err = fmt.Errorf("it must not hold a query")
	}
	return err
}

// issuerURL takes an issuer identifier of RFC 8414 section 2. A path that ends
// in token is a token endpoint in practice, and RFC 10070 forbids that one.
func issuerURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	if strings.HasSuffix(value, "/token") {
		return fmt.Errorf("it looks like the token endpoint; write the issuer from the server's metadata")
	}
	return nil
}

// hostURL takes https://host/ with the trailing slash and nothing after it.
func hostURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	if u, _ := url.Parse(value); u.Path != "/" {
		return fmt.Errorf("it must be https://, the host and one slash")
	}
	return nil
}

// hostOnly takes a host name without a scheme.
func hostOnly(value string) error {
	if strings.ContainsAny(value, ":/?#@") {
		return fmt.Errorf("it must be a host name without https:// and without a path")
	}
	return nil
}
