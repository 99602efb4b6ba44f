package jwks

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// issuer is a checked issuer identifier; the zero value is none.
type issuer struct {
	url  string // exactly as configured: receivers compare it byte by byte
	path string // of the URL, without a slash at the end
}

// parseIssuer takes https URLs without query, fragment or user (OpenID Connect
// Discovery 1.0 section 3), and http ones on loopback for trials.
func parseIssuer(text string) (issuer, error) {
	if text == "" {
		return issuer{}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Opaque != "":
		return issuer{}, fmt.Errorf("%w: the issuer must be a URL such as https://id.example.com", ErrPublisher)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return issuer{}, fmt.Errorf("%w: the issuer %q must be https", ErrPublisher, text)
	case strings.ContainsAny(text, "?#"):
		return issuer{}, fmt.Errorf("%w: the issuer %q must have no query and no fragment", ErrPublisher, text)
	case u.RawPath != "":
		return issuer{}, fmt.Errorf("%w: the path of the issuer %q must need no percent-encoding", ErrPublisher, text)
	}
	return issuer{url: text, path: strings.TrimSuffix(u.Path, "/")}, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// discovery is the part of the OpenID provider metadata (OpenID Connect
// Discovery 1.0 section 3) that workload federation reads. It is the same that
// kube-apiserver serves for its service accounts.
func (i issuer) discovery(set Set) ([]byte, error) {
	algorithms := []string{}
	for _, e := range set.entries {
		if !slices.Contains(algorithms, e.key.Alg) {
			algorithms = append(algorithms, e.key.Alg)
		}
	}
	slices.Sort(algorithms)
	document, err := json.Marshal(struct {
		Issuer        string   `json:"issuer"`
		URI           string   `json:"jwks_uri"`
		ResponseTypes []string `json:"response_types_supported"`
		SubjectTypes  []string `json:"subject_types_supported"`
		Algorithms    []string `json:"id_token_signing_alg_values_supported"`
	}{
		i.url, strings.TrimSuffix(i.url, "/") + SetPath, []string{"id_token"}, []string{"public"}, algorithms,
	})
	if err != nil {
		return nil, fmt.Errorf("encode the discovery document: %w", err)
	}
	return document, nil
}
