package jwks

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/uri"
)

// issuer is a validated issuer identifier. The zero value is not an issuer.
type issuer struct {
	url  string // exactly as configured: receivers compare it byte by byte
	path string // of the URL, without a trailing slash
}

// parseIssuer accepts https URLs without a query, fragment or user (OpenID
// Connect Discovery 1.0 section 3), and http ones on loopback for tests.
func parseIssuer(text string) (issuer, error) {
	if text == "" {
		return issuer{}, nil
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Opaque != "":
		return issuer{}, fmt.Errorf("%w: the issuer must be a URL such as https://id.example.com", ErrPublisher)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return issuer{}, fmt.Errorf("%w: the issuer %q must start with https://", ErrPublisher, text)
	case strings.ContainsAny(text, "?#"):
		return issuer{}, fmt.Errorf("%w: the issuer %q can't have a query or fragment", ErrPublisher, text)
	case u.RawPath != "":
		return issuer{}, fmt.Errorf("%w: the path of the issuer %q can't have percent-encoding", ErrPublisher, text)
	}
	if err := uri.CheckIssuer(text); err != nil {
		return issuer{}, fmt.Errorf("%w: the issuer %q %w", ErrPublisher, text, err)
	}
	return issuer{url: text, path: strings.TrimSuffix(u.Path, "/")}, nil
}

func isLoopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// discovery returns the part of the OpenID provider metadata (OpenID Connect
// Discovery 1.0 section 3) that workload identity federation reads.
// kube-apiserver serves the same for its service accounts.
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
