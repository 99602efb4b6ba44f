package profile

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// What iss and sub must look like for single receivers.

const isSnowflakeUser = "ACCOUNT.USER, an account locator without its region"

// snowflakeUser takes ACCOUNT.USER. Only the user may hold further dots.
func snowflakeUser(value string) bool {
	account, user, found := strings.Cut(value, ".")
	return found && account != "" && user != ""
}

func emailAddress(value string) bool {
	name, domain, found := strings.Cut(value, "@")
	return found && name != "" && strings.Contains(domain, ".")
}

func tenCharacters(value string) bool { return len(value) == 10 }
func atMost600(value string) bool     { return len(value) <= 600 }
func isPlainURL(value string) bool    { return plainURL(value) == nil }
func shortIssuer(value string) bool   { return isPlainURL(value) && atMost600(value) }

// spiffePath is a path of the SPIFFE ID specification, section 2.2; a
// workload's ID has one.
var spiffePath = regexp.MustCompile(`^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$`)

func spiffeID(value string) bool {
	return len(value) <= 2048 && spiffePath.MatchString(value) &&
		!slices.ContainsFunc(strings.Split(value, "/"), func(s string) bool { return s == "." || s == ".." })
}

const isEntra = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token with your tenant"

// entraTokenURL takes the token endpoint of one tenant in any national cloud.
func entraTokenURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	u, _ := url.Parse(value)
	tenant, endpoint, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case endpoint != "oauth2/v2.0/token":
		return errors.New("its path must be the tenant and /oauth2/v2.0/token")
	case tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, tenant):
		return errors.New("it must name the tenant itself")
	}
	return nil
}

// What claims must look like. The errors never hold the value.

var errNotString = errors.New("it is not a string, or empty")

func text(value any) (any, error) {
	if s, ok := value.(string); !ok || s == "" {
		return nil, errNotString
	}
	return value, nil
}

func oneOf(values ...string) func(any) (any, error) {
	return func(value any) (any, error) {
		if s, ok := value.(string); !ok || !slices.Contains(values, s) {
			return nil, errors.New("it is another value")
		}
		return value, nil
	}
}

// matching takes strings that match a pattern as a whole.
func matching(value any, pattern *regexp.Regexp) (any, error) {
	if s, ok := value.(string); !ok || !pattern.MatchString(s) {
		return nil, errors.New("it has another form")
	}
	return value, nil
}

var (
	methodPattern = regexp.MustCompile(`^[A-Z][A-Z-]{0,31}$`)
	hashPattern   = regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`)
	// noncePattern is 1*NQCHAR (RFC 9449 section 8.1), bounded.
	noncePattern = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,512}$`)
	linePattern  = regexp.MustCompile(`^[A-Z]+ [A-Za-z0-9.-]+(:[0-9]+)?/[\x21-\x7e]*$`)
)

func httpMethod(value any) (any, error)  { return matching(value, methodPattern) }
func tokenHash(value any) (any, error)   { return matching(value, hashPattern) }
func serverNonce(value any) (any, error) { return matching(value, noncePattern) }

// targetURI is htu: the URL without query and fragment (RFC 9449 section 4.2).
func targetURI(value any) (any, error) {
	s, ok := value.(string)
	if !ok {
		return nil, errNotString
	}
	bare := s
	if i := strings.IndexAny(s, "?#"); i >= 0 {
		bare = s[:i]
	}
	if strings.ContainsFunc(bare, notPrintable) {
		return nil, errors.New("it holds a space or a control character")
	}
	if _, err := absoluteURL(bare); err != nil {
		return nil, err
	}
	return bare, nil
}

// each holds every member of a non-empty list to a form.
func each(value any, form func(any) (any, error)) (any, error) {
	members, ok := value.([]any)
	if !ok || len(members) == 0 {
		return nil, errors.New("it is not a list, or empty")
	}
	for i, member := range members {
		if _, err := form(member); err != nil {
			return nil, fmt.Errorf("member %d: %w", i, err)
		}
	}
	return value, nil
}

func textList(value any) (any, error) { return each(value, text) }

func requestLines(value any) (any, error) {
	return each(value, func(member any) (any, error) { return matching(member, linePattern) })
}
