package terminal

import (
	"regexp"
	"strings"
)

// removed stands for an assertion or a token that was cut out.
const removed = "[assertion removed]"

// compact matches a compact JWS or JWE (RFC 7515, section 7.1), also one that
// was cut off. A header is an object, so it starts with `{"`, or with a space
// or line break between. Names of hosts start with none of these.
var compact = regexp.MustCompile(`\b(?:ey[AIJ]|ewog|ew0K)[A-Za-z0-9_-]{7,}(?:(?:\.|%2[eE])[A-Za-z0-9_-]*)+`)

// WithoutAssertions cuts out the assertions that a server repeats in its
// errors: they end up in logs and tickets, where others could use them.
func WithoutAssertions(text string) string { return compact.ReplaceAllString(text, removed) }

// Without also cuts out the given secrets, if they are long enough to be some.
func Without(text string, secrets ...string) string {
	const shortest = 8
	text = WithoutAssertions(text)
	for _, secret := range secrets {
		if len(secret) >= shortest {
			text = strings.ReplaceAll(text, secret, "[secret removed]")
		}
	}
	return text
}
