package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// maxTokenResponse limits the body of a token response, in bytes.
const maxTokenResponse = 1 << 20

// maxExpiresIn limits expires_in, in seconds, to ten years. A larger value is
// treated as missing.
const maxExpiresIn = 10 * 365 * 24 * 3600

// maxSkew is the clock skew to mention in errors. Servers tolerate about as
// much.
const maxSkew = 10 * time.Second

// defaultRetryDelay applies if a failing server sends no Retry-After.
const defaultRetryDelay = 500 * time.Millisecond

// ErrTokenEndpoint matches every error from the authorization server.
var ErrTokenEndpoint = errors.New("token request failed")

// TokenError is an error response of the authorization server (RFC 6749 section
// 5.2), an unusable response, or no response. It matches [ErrTokenEndpoint].
type TokenError struct {
	Status      int           // HTTP status; 0 if there was no response
	Code        string        // OAuth error, such as invalid_client; empty if there is none
	Description string        // from the server or the network
	Skew        time.Duration // how far this machine's clock is ahead of the server's; 0 if unknown

	nonce string        // DPoP-Nonce
	delay time.Duration // before a retry
	cause error
}

// Error returns what the server said, and the clock skew if it is large.
func (e *TokenError) Error() string {
	var b strings.Builder
	b.WriteString(ErrTokenEndpoint.Error())
	if e.Status != 0 {
		fmt.Fprintf(&b, ": HTTP %d %s", e.Status, http.StatusText(e.Status))
	}
	for _, part := range []string{e.Code, e.Description} {
		if part != "" {
			b.WriteString(": " + part)
		}
	}
	if e.Skew.Abs() > maxSkew && e.Status != 0 {
		fmt.Fprintf(&b, "; this machine's clock is %s %s the server's, so assertions look %s; sync it with NTP",
			terminal.Span(e.Skew.Abs()), aheadOrBehind(e.Skew), earlyOrLate(e.Skew))
	} else {
		b.WriteString(e.remedy())
	}
	return b.String()
}

// remedy is what a person can do about what the server said.
func (e *TokenError) remedy() string {
	switch {
	case e.Code == "invalid_client", e.Code == "invalid_grant":
		return "; compare the issuer, audience and key of the assertion (assertctl assert --decode) with what the server knows of this client"
	case strings.HasSuffix(e.Description, tokenEndpoint.hint()), strings.HasSuffix(e.Description, loginEndpoint.hint()):
		return "" // said already
	case e.Code == "" && (e.Status == http.StatusNotFound || e.Status == http.StatusMethodNotAllowed):
		return "; check the URL of the token endpoint"
	}
	return ""
}

func aheadOrBehind(skew time.Duration) string {
	if skew > 0 {
		return "ahead of"
	}
	return "behind"
}

func earlyOrLate(skew time.Duration) string {
	if skew > 0 {
		return "not yet valid"
	}
	return "expired"
}

// Unwrap returns ErrTokenEndpoint and the network error, if any.
func (e *TokenError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrTokenEndpoint}
	}
	return []error{ErrTokenEndpoint, e.cause}
}

// needsNonce reports whether only a DPoP nonce was missing (RFC 9449 section
// 8).
func (e *TokenError) needsNonce() bool { return e.Code == "use_dpop_nonce" && e.nonce != "" }

// temporary reports whether a retry may succeed.
func (e *TokenError) temporary() bool {
	switch e.Status {
	case 0:
		var certificate *tls.CertificateVerificationError
		return !errors.Is(e.cause, context.Canceled) && !errors.Is(e.cause, context.DeadlineExceeded) &&
			!errors.As(e.cause, &certificate)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return e.delay <= 5*time.Second
	}
	return false
}

// unsent reports that there was no connection, so the server has seen nothing.
func (e *TokenError) unsent() bool {
	var operation *net.OpError
	return errors.As(e.cause, &operation) && operation.Op == "dial"
}

func unreachable(err error, secrets []string) *TokenError {
	return &TokenError{Description: sanitize(err.Error(), secrets) + trustRemedy(err), cause: err, delay: defaultRetryDelay}
}

// trustRemedy is what to do about a certificate of an unknown CA.
func trustRemedy(err error) string {
	if unknown := (x509.UnknownAuthorityError{}); errors.As(err, &unknown) {
		return "; trust the CA: add it to the system's, name it with --cacert, or set the HTTP client"
	}
	return ""
}

// readToken reads a token response, and explains anything else: an error in any
// form, a web page, a redirect. Some servers refuse with status 200.
func readToken(response *http.Response, send ipc.Send, now time.Time, secrets []string) (Token, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenResponse))
	if err != nil {
		return Token{}, unreachable(err, secrets)
	}
	text = bytes.TrimPrefix(text, bom)
	from, parse := tokenEndpoint, parseToken
	switch send {
	case ipc.SendVaultLogin:
		from, parse = loginEndpoint, parseLogin
	case ipc.SendWebIdentity:
		parse = parseCredentials
	}
	if response.StatusCode/100 == 2 {
		if token, ok := parse(text, now); ok {
			return token, token.check(response.StatusCode)
		}
	}
	found := from.refusal(response, text, secrets)
	return Token{}, &TokenError{
		Status: response.StatusCode, Code: found.code, Description: found.text, Skew: skewOf(response, now),
		nonce: response.Header.Get("DPoP-Nonce"), delay: retryAfter(response),
	}
}

// parseToken reads a token, and reports whether there is one.
func parseToken(text []byte, now time.Time) (Token, bool) {
	var fields struct {
		AccessToken string          `json:"access_token"`
		TokenType   any             `json:"token_type"`
		Scope       scopeList       `json:"scope"`
		ExpiresIn   json.RawMessage `json:"expires_in"`
	}
	if err := json.Unmarshal(text, &fields); err != nil || fields.AccessToken == "" {
		return Token{}, false
	}
	kind, _ := fields.TokenType.(string)
	token := Token{AccessToken: fields.AccessToken, TokenType: kind, Scope: string(fields.Scope), Raw: text}
	// Some servers send a string.
	seconds, err := strconv.ParseFloat(strings.Trim(string(fields.ExpiresIn), `"`), 64)
	if err == nil && seconds > 0 && seconds <= maxExpiresIn {
		token.Expiry = now.Add(time.Duration(seconds * float64(time.Second)))
	}
	return token, true
}

// check refuses an access token with characters that none has (RFC 6749,
// appendix A.12): it would go into headers and onto terminals.
func (t Token) check(status int) error {
	if !strings.ContainsFunc(t.AccessToken, func(r rune) bool { return r < ' ' || r > '~' }) {
		return nil
	}
	return &TokenError{Status: status, Description: "the access token has characters that no token may have (RFC 6749, appendix A.12)"}
}

// scopeList is a scope as RFC 6749 section 3.3 has it, or as the list that some
// servers send instead. Anything else leaves it empty.
type scopeList string

// UnmarshalJSON accepts a string or a list of strings.
func (s *scopeList) UnmarshalJSON(text []byte) error {
	var one string
	var several []string
	if json.Unmarshal(text, &one) == nil {
		*s = scopeList(one)
	} else if json.Unmarshal(text, &several) == nil {
		*s = scopeList(strings.Join(several, " "))
	}
	return nil
}

// skewOf compares the clocks by the Date header (RFC 9110 section 6.6.1), whose
// resolution is one second.
func skewOf(response *http.Response, now time.Time) time.Duration {
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return now.Sub(date).Truncate(time.Second)
}

// retryAfter reads Retry-After in seconds (RFC 9110 section 10.2.3). It ignores
// the form with a date.
func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return defaultRetryDelay
	}
	return time.Duration(seconds) * time.Second
}
