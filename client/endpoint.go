package client

import (
	"fmt"
	"net/http"
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
	loopback := u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1"
	if u.Host == "" || u.Scheme != "https" && !(u.Scheme == "http" && loopback) {
		return fmt.Errorf("%q is not an https URL; plain http is allowed only on loopback", endpoint)
	}
	return nil
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
