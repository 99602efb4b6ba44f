package profile

import (
	"errors"
	"fmt"
	"net"
	"net/url"
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
	return AudienceRule{
		Form: AudienceString, Summary: "token URL", Check: endpointURL,
		Description: "the token endpoint URL",
	}
}

func issuerOrTokenAudience() AudienceRule {
	return AudienceRule{
		Form: AudienceString, Summary: "issuer or token URL", Check: endpointURL,
		Description: "the issuer or the token endpoint URL, whichever the receiver expects",
	}
}

// The errors in this file follow the name of the value, as in "must start with
// https://".

// absoluteURL accepts only an https URL without a fragment and without user
// information. It accepts http for loopback hosts, where test servers run.
func absoluteURL(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, errors.New("is not an absolute URL")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return nil, errors.New("must start with https://")
	case u.User != nil:
		return nil, errors.New("must not contain a user name")
	case strings.Contains(value, "#"):
		return nil, errors.New("must not contain a fragment")
	}
	return u, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// endpointURL accepts a URL that may have a query (RFC 6749 section 3.2).
func endpointURL(value string) error {
	_, err := absoluteURL(value)
	return err
}

// plainURL accepts a URL without a query or a fragment.
func plainURL(value string) error {
	_, err := absoluteURL(value)
	if err == nil && strings.Contains(value, "?") {
		err = errors.New("must not contain a query")
	}
	return err
}

// issuerURL accepts an issuer identifier (RFC 8414 section 2). A path that ends
// in /token is a token endpoint in practice, which RFC 10070 forbids.
func issuerURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	if strings.HasSuffix(value, "/token") {
		return errors.New("looks like the token endpoint, not the issuer in the server's metadata")
	}
	return nil
}

// limited returns a check that accepts any text of up to most bytes.
func limited(most int) func(string) error {
	return func(value string) error {
		if len(value) > most {
			return fmt.Errorf("has %d characters, and the receiver allows %d", len(value), most)
		}
		return nil
	}
}

// hostURL accepts https://host/ with the trailing slash and nothing after it.
func hostURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	if u, _ := url.Parse(value); u.Path != "/" {
		return errors.New("must be https://, the host and one slash")
	}
	return nil
}

// hostOnly accepts a host name without a scheme.
func hostOnly(value string) error {
	if strings.ContainsAny(value, ":/?#@") {
		return errors.New("must be a host name without https:// or a path")
	}
	return nil
}

const entraTokenURLFormat = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token with your tenant, or its v1 form without /v2.0"

// entraTokenURL accepts the token endpoint of one tenant in any national cloud,
// of the v2.0 or the v1 protocol.
func entraTokenURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	u, _ := url.Parse(value)
	tenant, endpoint, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case endpoint != "oauth2/v2.0/token" && endpoint != "oauth2/token":
		return errors.New("must have the tenant and /oauth2/v2.0/token or /oauth2/token as its path")
	case tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, tenant):
		return errors.New("must name a specific tenant")
	}
	return nil
}
