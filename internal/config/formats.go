package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/uri"
	"github.com/assertd/assertd/internal/web"
	"github.com/assertd/assertd/signer/profile"
)

const namePattern = `^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`

var nameExpression = regexp.MustCompile(namePattern)

func formats() map[string]strictyaml.Format {
	return map[string]strictyaml.Format{
		"name":      {Check: checkName, Pattern: namePattern},
		"path":      {Check: checkPath, Pattern: `^/`},
		"hex":       {Check: checkHex, Pattern: `^([0-9a-fA-F]{2})+$`},
		"sha256":    {Check: checkSHA256, Pattern: `^[0-9a-f]{64}$`},
		"address":   {Check: checkAddress, Pattern: `:[0-9]+$`},
		"network":   {Check: checkNetwork, Pattern: `^[0-9a-fA-F.:]+(/[0-9]+)?$`},
		"collector": {Check: checkCollector, Pattern: `^https?://`},
		"logs":      {Check: checkLogCollector, Pattern: `^https?://`},
		"server":    {Check: checkServer, Pattern: `^.+:[0-9]+$`},
		"origin":    {Check: checkOrigin, Pattern: `^[!-*,-~]+$`},
		"witness":   {Check: checkWitness, Pattern: `^https?://`},
		"cosigner":  {Check: checkCosigner, Pattern: `^[^+]+[+][0-9a-f]{8}[+].+$`},
		"issuer":    {Check: checkIssuer, Pattern: `^https://`},
		"profile":   {Check: checkProfile},
		"time":      {Check: checkTime, Pattern: timePattern},
	}
}

func checkName(s string) error {
	if !nameExpression.MatchString(s) {
		return errors.New("is not a valid name; use up to 64 letters, digits, dots, hyphens and underscores, and start with a letter or digit")
	}
	return nil
}

func checkPath(s string) error {
	switch {
	case strings.HasPrefix(s, "@"):
		return errors.New("is an abstract socket, which any process in the network namespace can open; use an absolute path")
	case !filepath.IsAbs(s):
		return errors.New("is not an absolute path; start it with /")
	case filepath.Clean(s) != s:
		return errors.New("is not in its shortest form; remove ., .., double slashes and trailing slashes")
	}
	return nil
}

func checkHex(s string) error {
	if len(s)%2 != 0 || strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("0123456789abcdefABCDEF", r) }) {
		return errors.New("is not hexadecimal; write two digits per byte, without colons")
	}
	return nil
}

func checkSHA256(s string) error {
	if len(s) != 64 || checkHex(s) != nil || strings.ToLower(s) != s {
		return errors.New("is not 64 lowercase hexadecimal digits; copy them from sha256sum")
	}
	return nil
}

func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return errors.New(`is not an address with a port; write it as "127.0.0.1:9464", "[::1]:9464" or ":8443"`)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || (n == 0 && host == "") {
		return errors.New("has no usable port; write a number from 1 to 65535")
	}
	return nil
}

func checkNetwork(s string) error {
	if _, err := web.ParseNetwork(s); err != nil {
		return errors.New("is not an IP address or network; write one such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32")
	}
	return nil
}

// timePattern is RFC 3339 to the second, as labels have it, in UTC or with an
// offset.
const timePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})$`

var timeExpression = regexp.MustCompile(timePattern)

func checkTime(s string) error {
	if _, err := time.Parse(time.RFC3339, s); err != nil || !timeExpression.MatchString(s) {
		return errors.New("is not a time; write it to the second, such as 2026-01-31T12:00:00Z")
	}
	return nil
}

func checkCollector(s string) error { return checkOTLP(s, "/v1/traces") }

func checkLogCollector(s string) error { return checkOTLP(s, "/v1/logs") }

func checkOTLP(s, path string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path == "" {
		return errors.New("is not the URL of a collector; use one such as http://127.0.0.1:4318" + path)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLocal(u)) {
		return errors.New("would send the names of clients, grants and keys over the network unencrypted; use https, or a collector on this machine")
	}
	return nil
}

// checkServer wants a host, which a listener's address can leave out.
func checkServer(s string) error {
	host, port, err := net.SplitHostPort(s)
	if number, bad := strconv.ParseUint(port, 10, 16); err != nil || host == "" || bad != nil || number == 0 {
		return errors.New("is not the address of a server; use a host and a port, such as logs.example.com:6514")
	}
	return nil
}

func isLocal(u *url.URL) bool { return isLocalHost(u.Hostname()) }

func isLocalHost(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// checkOrigin allows what C2SP tlog-checkpoint and signed-note do, in ASCII.
func checkOrigin(s string) error {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '+' }) {
		return errors.New("is not the name of a log; use one such as example.com/assertd/host1, without spaces and \"+\"")
	}
	return nil
}

// checkWitness wants TLS because the answers that stop the daemon are not
// signed.
func checkWitness(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("is not the URL of a witness; use one such as https://witness.example.com")
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLocal(u)) {
		return errors.New("is open to anyone on the network, who could stop the daemon with a false answer; use https, or a witness on this machine")
	}
	return nil
}

func checkCosigner(s string) error {
	if _, err := witness.ParseKey(s); err != nil {
		return fmt.Errorf("is %w", err)
	}
	return nil
}

func checkIssuer(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return errors.New("is not a URL; write the issuer as https://id.example.com")
	case u.Scheme != "https":
		return errors.New("is not an https URL; receivers only accept an https issuer (OpenID Connect Discovery 1.0, section 3)")
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(s, "#") || u.User != nil:
		return errors.New("has a query, fragment or user; remove it, since an issuer has none (RFC 8414, section 2)")
	}
	return uri.CheckIssuer(s)
}

func checkProfile(s string) error {
	if _, ok := profile.Lookup(s); ok {
		return nil
	}
	if near := spelling.Nearest(s, profile.Names()); near != "" {
		return fmt.Errorf("is not a known profile; did you mean %s?", near)
	}
	return errors.New("is not a known profile; docs/profiles.md lists them")
}
