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

// maxTokenAnswer bounds what is read of a token endpoint's answer, in bytes.
const maxTokenAnswer = 1 << 20

// maxExpiry bounds expires_in, in seconds: ten years, past which a number is no
// life time.
const maxExpiry = 10 * 365 * 24 * 3600

// maxSkew is how far apart two clocks may be before it is worth a word: receivers
// allow about this much.
const maxSkew = 10 * time.Second

// passingWait is how long a server that failed is given where it does not say.
const passingWait = 500 * time.Millisecond

// ErrTokenEndpoint is the kind of everything that goes wrong at the
// authorization server.
var ErrTokenEndpoint = errors.New("the token endpoint gave no token")

// TokenError is a refusal of the authorization server (RFC 6749 section 5.2), or
// an answer that is none. It wraps [ErrTokenEndpoint].
type TokenError struct {
	Status      int           // of HTTP; 0 where no answer came
	Code        string        // the OAuth error, such as invalid_client; empty where there is none
	Description string        // what the server or the network says about it
	Skew        time.Duration // how far this machine's clock is ahead of the server's; 0 where not known

	nonce string        // DPoP-Nonce
	wait  time.Duration // before another attempt
	cause error
}

// Error says what the server said, and where the clocks differ, that they do.
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
		fmt.Fprintf(&b, "; this machine's clock is %s %s the server's, which makes assertions look %s: set it right (NTP)",
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

// Unwrap returns ErrTokenEndpoint and the error of the network, if that was it.
func (e *TokenError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrTokenEndpoint}
	}
	return []error{ErrTokenEndpoint, e.cause}
}

// nonceDemanded says whether a nonce is all that was missing (RFC 9449 section 8).
func (e *TokenError) nonceDemanded() bool { return e.Code == "use_dpop_nonce" && e.nonce != "" }

// passing says whether another attempt may well succeed.
func (e *TokenError) passing() bool {
	switch e.Status {
	case 0:
		var certificate *tls.CertificateVerificationError
		return !errors.Is(e.cause, context.Canceled) && !errors.Is(e.cause, context.DeadlineExceeded) && !errors.As(e.cause, &certificate)
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return e.wait <= 5*time.Second
	}
	return false
}

// unsent says that no connection came about, so that the server has seen nothing.
func (e *TokenError) unsent() bool {
	var operation *net.OpError
	return errors.As(e.cause, &operation) && operation.Op == "dial"
}

func unreachable(err error) *TokenError {
	return &TokenError{Description: err.Error(), cause: err, wait: passingWait}
}

// tokenAnswer reads the answer, or says in words what else came: an OAuth error,
// a page, a redirect.
func tokenAnswer(response *http.Response, now time.Time) (Token, error) {
	text, err := io.ReadAll(io.LimitReader(response.Body, maxTokenAnswer))
	if err != nil {
		return Token{}, unreachable(err)
	}
	failed := &TokenError{
		Status: response.StatusCode, Skew: skewOf(response, now),
		nonce: response.Header.Get("DPoP-Nonce"), wait: retryAfter(response),
	}
	if !json.Valid(text) {
		failed.Description = fmt.Sprintf("it answered with %s instead of JSON; is this the token endpoint's URL?", contentKind(response))
		return Token{}, failed
	}
	if response.StatusCode != http.StatusOK {
		failed.Code, failed.Description = oauthError(text)
		return Token{}, failed
	}
	return parseToken(text, now)
}

func parseToken(text []byte, now time.Time) (Token, error) {
	var answer struct {
		AccessToken string      `json:"access_token"`
		TokenType   string      `json:"token_type"`
		Scope       string      `json:"scope"`
		ExpiresIn   json.Number `json:"expires_in"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return Token{}, fmt.Errorf("%w: its answer is not one of RFC 6749 section 5.1", ErrTokenEndpoint)
	}
	token := Token{AccessToken: answer.AccessToken, TokenType: answer.TokenType, Scope: answer.Scope, Raw: text}
	if seconds, err := answer.ExpiresIn.Float64(); err == nil && seconds > 0 && seconds <= maxExpiry {
		token.Expiry = now.Add(time.Duration(seconds * float64(time.Second)))
	}
	return token, nil
}

func oauthError(text []byte) (code, description string) {
	var answer struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Error == "" {
		return "", "the answer holds no OAuth error"
	}
	return printable(answer.Error), printable(answer.Description)
}

// maxWords is how much of a server's text goes into an error, in bytes.
const maxWords = 500

// printable keeps what a server says from speaking to the terminal that shows it.
// RFC 6749 section 5.2 allows less.
func printable(text string) string {
	text = text[:min(len(text), maxWords)]
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
}

// skewOf compares clocks by the Date header (RFC 9110 section 6.6.1), which has
// no more than seconds.
func skewOf(response *http.Response, now time.Time) time.Duration {
	date, err := http.ParseTime(response.Header.Get("Date"))
	if err != nil {
		return 0
	}
	return now.Sub(date).Truncate(time.Second)
}

// retryAfter reads the header's form in seconds (RFC 9110 section 10.2.3).
func retryAfter(response *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(response.Header.Get("Retry-After"), 10, 16)
	if err != nil {
		return passingWait
	}
	return time.Duration(seconds) * time.Second
}
