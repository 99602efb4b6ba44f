package client

import (
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// checkEndpoint rejects URLs that would send a credential over a network in the
// clear.
func checkEndpoint(endpoint string) error {
	u, err := url.Parse(endpoint)
	if err != nil {
		return err
	}
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return fmt.Errorf("%q is not an https URL; plain http is allowed only on loopback", endpoint)
	}
	return nil
}

// isLoopback looks no name up: what resolves to loopback here may resolve to
// something else next time.
func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// httpClient does not follow redirects by default: an assertion goes to the
// configured URL and nowhere else.
func httpClient(given *http.Client) *http.Client {
	if given != nil {
		return given
	}
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
