package client

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
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
			e.Skew.Abs().Round(time.Second), aheadOrBehind(e.Skew), earlyOrLate(e.Skew))
	}
	return b.String()
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

func unreachable(err error) *TokenError {
	return &TokenError{Description: err.Error(), cause: err, delay: defaultRetryDelay}
}

// readToken reads a token response, and explains anything else: an OAuth error,
// a web page, a redirect.
func readToken(response *http.Response, now time.Time) (Token, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenResponse))
	if err != nil {
		return Token{}, unreachable(err)
	}
	failed := &TokenError{
		Status: response.StatusCode, Skew: skewOf(response, now),
		nonce: response.Header.Get("DPoP-Nonce"), delay: retryAfter(response),
	}
	if !json.Valid(text) {
		failed.Description = fmt.Sprintf("got %s instead of JSON; is this the token endpoint's URL?", mediaType(response))
		return Token{}, failed
	}
	if response.StatusCode != http.StatusOK {
		failed.Code, failed.Description = oauthError(text)
		return Token{}, failed
	}
	return parseToken(text, now)
}

func parseToken(text []byte, now time.Time) (Token, error) {
	var fields struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		Scope       string      `json:"scope"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return Token{}, fmt.Errorf("%w: not a token response (RFC 6749 section 5.1)", ErrTokenEndpoint)
	}
	token := Token{AccessToken: fields.AccessToken, TokenType: fields.TokenType, Scope: fields.Scope, Raw: text}
	if seconds, err := fields.ExpiresIn.Float64(); err == nil && seconds > 0 && seconds <= maxExpiresIn {
		token.Expiry = now.Add(time.Duration(seconds * float64(time.Second)))
	}
	return token, nil
}

func oauthError(text []byte) (code, description string) {
	var fields struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(text, &fields); err != nil || fields.Error == "" {
		return "", "the response has no OAuth error"
	}
	return sanitize(fields.Error), sanitize(fields.Description)
}

// maxErrorText limits how much of a server's text goes into an error, in bytes.
const maxErrorText = 500

// sanitize shortens text from a server and replaces what a terminal would
// interpret. RFC 6749 section 5.2 allows even fewer characters.
func sanitize(text string) string {
	text = text[:min(len(text), maxErrorText)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
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
