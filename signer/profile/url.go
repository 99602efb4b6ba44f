package profile

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"strings"
)

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

const entraTokenURLFormat = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token with your tenant"

// entraTokenURL accepts the token endpoint of one tenant in any national cloud.
func entraTokenURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	u, _ := url.Parse(value)
	tenant, endpoint, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	switch {
	case endpoint != "oauth2/v2.0/token":
		return errors.New("must have the tenant and /oauth2/v2.0/token as its path")
	case tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, tenant):
		return errors.New("must name a specific tenant")
	}
	return nil
}
