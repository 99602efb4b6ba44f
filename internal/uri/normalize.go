// Package uri compares http and https URLs as their RFCs do: by their normal
// forms.
package uri

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Normalize returns the normal form of an absolute http or https URL by syntax
// and by scheme (RFC 3986 sections 6.2.2 and 6.2.3): scheme and host in lower
// case, no default port, no dot segments, a path of at least a slash, and
// percent-encoding only where it is needed. Query and fragment are left out.
//
// Two slashes in a row stay, since paths that differ in them are different.
func Normalize(text string) (string, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return "", errors.New("is not a URL")
	case u.Scheme != "https" && u.Scheme != "http", u.Hostname() == "" || u.Opaque != "":
		return "", errors.New("is not an absolute http or https URL")
	case strings.ContainsFunc(u.Hostname(), notHost):
		return "", errors.New("has a host that is neither a DNS name in ASCII nor an IP address")
	case u.User != nil:
		return "", errors.New("must not contain a user name")
	}
	return u.Scheme + "://" + normalHost(u) + removeDots(normalEncoding(u.EscapedPath())), nil
}

// CheckIssuer returns the fault in the spelling of an issuer identifier
// that we publish or sign, as in "is not in its normal form", or nil. Receivers
// compare it byte by byte, and append to it for discovery (OpenID Connect
// Discovery 1.0 section 4), so it has one spelling and no empty path segment.
// It may end in a slash.
func CheckIssuer(text string) error {
	normal, err := Normalize(text)
	switch {
	case err != nil:
		return err
	case strings.Count(normal, "//") > 1: // one is the scheme's
		return errors.New("has two slashes in a row; write one")
	case text != normal && text+"/" != normal:
		return fmt.Errorf("is not in its normal form; write %s", strings.TrimSuffix(normal, "/"))
	}
	return nil
}

// notHost reports whether neither DNS names nor IP addresses contain r.
func notHost(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:", r)
}

func normalHost(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch port := u.Port(); {
	case port == "", port == "443" && u.Scheme == "https", port == "80" && u.Scheme == "http":
		return strings.TrimSuffix(host, ":"+port)
	}
	return host
}

// normalEncoding decodes the characters that need no encoding, and writes the
// digits of the others in upper case (RFC 3986 section 6.2.2).
func normalEncoding(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' || i+2 >= len(path) {
			b.WriteByte(path[i])
			continue
		}
		escape := strings.ToUpper(path[i : i+3])
		if plain, err := url.PathUnescape(escape); err == nil && isUnreserved(plain) {
			escape = plain
		}
		b.WriteString(escape)
		i += 2
	}
	return b.String()
}

func isUnreserved(c string) bool {
	return len(c) == 1 && strings.Contains("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~", c)
}

// removeDots resolves . and .. in an absolute path (RFC 3986 section 5.2.4).
func removeDots(path string) string {
	var kept []string
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	for i, segment := range segments {
		last := i == len(segments)-1
		if segment == ".." && len(kept) > 0 {
			kept = kept[:len(kept)-1]
		}
		switch {
		case segment != "." && segment != "..":
			kept = append(kept, segment)
		case last:
			kept = append(kept, "")
		}
	}
	return "/" + strings.Join(kept, "/")
}
