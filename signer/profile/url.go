package profile

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
)

// absoluteURL accepts only an https URL without a fragment and without user
// information. It accepts http for loopback hosts, where test servers run.
func absoluteURL(value string) (*url.URL, error) {
	u, err := url.Parse(value)
	switch {
	case err != nil || u.Opaque != "" || u.Host == "" || u.Hostname() == "":
		return nil, fmt.Errorf("it is not an absolute URL")
	case u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())):
		return nil, fmt.Errorf("it must start with https://")
	case u.User != nil:
		return nil, fmt.Errorf("it must not hold a user name")
	case strings.Contains(value, "#"):
		return nil, fmt.Errorf("it must not hold a fragment")
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
		err = fmt.Errorf("it must not hold a query")
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
		return fmt.Errorf("it looks like the token endpoint; write the issuer from the server's metadata")
	}
	return nil
}

// hostURL accepts https://host/ with the trailing slash and nothing after it.
func hostURL(value string) error {
	if err := plainURL(value); err != nil {
		return err
	}
	if u, _ := url.Parse(value); u.Path != "/" {
		return fmt.Errorf("it must be https://, the host and one slash")
	}
	return nil
}

// hostOnly accepts a host name without a scheme.
func hostOnly(value string) error {
	if strings.ContainsAny(value, ":/?#@") {
		return fmt.Errorf("it must be a host name without https:// and without a path")
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
		return errors.New("its path must be the tenant and /oauth2/v2.0/token")
	case tenant == "" || slices.Contains([]string{"common", "organizations", "consumers"}, tenant):
		return errors.New("it must name the tenant itself")
	}
	return nil
}
