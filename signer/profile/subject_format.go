package profile

import (
	"regexp"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/uri"
)

// The functions in this file check the iss and sub of particular receivers.

const snowflakeUserFormat = "ACCOUNT.USER, with an account locator written without its region"

// snowflakeUser accepts ACCOUNT.USER. Only the user may contain more dots.
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
func isIssuer(value string) bool      { return plainURL(value) == nil && uri.CheckIssuer(value) == nil }
func shortIssuer(value string) bool   { return isIssuer(value) && atMost600(value) }

// spiffeIDPattern requires a path (SPIFFE ID specification section 2.2), which
// every workload's ID has.
var spiffeIDPattern = regexp.MustCompile(`^spiffe://[a-z0-9._-]{1,255}(/[A-Za-z0-9._-]+)+$`)

func spiffeID(value string) bool {
	return len(value) <= 2048 && spiffeIDPattern.MatchString(value) &&
		!slices.ContainsFunc(strings.Split(value, "/"), func(s string) bool { return s == "." || s == ".." })
}

// spiffeProfile is the profile of JWT-SVIDs.
const spiffeProfile = "spiffe-jwt-svid"

// TrustDomain is the SPIFFE trust domain of a grant's subject; empty if its
// profile doesn't make JWT-SVIDs.
func TrustDomain(profile, subject string) string {
	if profile != spiffeProfile || !spiffeID(subject) {
		return ""
	}
	domain, _, _ := strings.Cut(strings.TrimPrefix(subject, "spiffe://"), "/")
	return domain
}
