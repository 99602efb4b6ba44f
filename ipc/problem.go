package ipc

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// Code is a stable error code of the API. It is an error itself, the sentinel of
// every [Problem] that carries it: errors.Is(err, ipc.CodeRateLimited).
type Code string

// The closed list of codes. A client must treat a code that it does not know by
// the HTTP status.
const (
	CodeMalformedRequest     Code = "malformed-request"
	CodeRequestTooLarge      Code = "request-too-large"
	CodeUnsupportedMediaType Code = "unsupported-media-type"
	CodeNotFound             Code = "not-found"
	CodeMethodNotAllowed     Code = "method-not-allowed"
	CodeUnknownCaller        Code = "unknown-caller"
	CodeGrantNotFound        Code = "grant-not-found"
	CodeGrantAmbiguous       Code = "grant-ambiguous"
	CodeAudienceRequired     Code = "audience-required"
	CodeAudienceNotAllowed   Code = "audience-not-allowed"
	CodeClaimNotAllowed      Code = "claim-not-allowed"
	CodeClaimReserved        Code = "claim-reserved"
	CodeClaimRequired        Code = "claim-required"
	CodeLifetimeNotAllowed   Code = "lifetime-not-allowed"
	CodeKeyNotAllowed        Code = "key-not-allowed"
	CodeHashNotAllowed       Code = "hash-not-allowed"
	CodePaddingNotAllowed    Code = "padding-not-allowed"
	CodeRateLimited          Code = "rate-limited"
	CodeInFlightLimit        Code = "in-flight-limit"
	CodeBatchTooLarge        Code = "batch-too-large"
	CodeKeyNotAvailable      Code = "key-not-available"
	CodeHSMUnavailable       Code = "hsm-unavailable"
	CodeOverloaded           Code = "overloaded"
	CodeDraining             Code = "draining"
	CodeAuditUnavailable     Code = "audit-unavailable"
	CodeTimeout              Code = "timeout"
	CodeInternal             Code = "internal"
)

// CodeReloadRefused is the code of a refused reload. It is not in the list of the
// callers' API, which never has it.
const CodeReloadRefused Code = "reload-refused"

// ProblemTypePrefix and a Code make the type member of a problem document.
const ProblemTypePrefix = "urn:assertd:error:"

// codes is the one table from codes to the wire, in the order of the documentation.
var codes = []struct {
	code   Code
	status int
	title  string
}{
	{CodeMalformedRequest, http.StatusBadRequest, "The request is malformed"},
	{CodeRequestTooLarge, http.StatusRequestEntityTooLarge, "The request is too large"},
	{CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "The request's media type is not supported"},
	{CodeNotFound, http.StatusNotFound, "There is no such resource"},
	{CodeMethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed here"},
	{CodeUnknownCaller, http.StatusForbidden, "No client of the policy matches the caller"},
	{CodeGrantNotFound, http.StatusForbidden, "The caller has no such grant"},
	{CodeGrantAmbiguous, http.StatusConflict, "More than one grant fits"},
	{CodeAudienceRequired, http.StatusBadRequest, "The request must name an audience"},
	{CodeAudienceNotAllowed, http.StatusForbidden, "The audience is not allowed"},
	{CodeClaimNotAllowed, http.StatusForbidden, "A claim is not allowed"},
	{CodeClaimReserved, http.StatusForbidden, "A claim is the daemon's to set"},
	{CodeClaimRequired, http.StatusBadRequest, "A required claim is missing"},
	{CodeLifetimeNotAllowed, http.StatusForbidden, "The lifetime is not allowed"},
	{CodeKeyNotAllowed, http.StatusForbidden, "The key set is not allowed"},
	{CodeHashNotAllowed, http.StatusForbidden, "The hash is not allowed"},
	{CodePaddingNotAllowed, http.StatusForbidden, "The padding is not allowed"},
	{CodeRateLimited, http.StatusTooManyRequests, "A rate limit is exhausted"},
	{CodeInFlightLimit, http.StatusTooManyRequests, "Too many requests are in flight"},
	{CodeBatchTooLarge, http.StatusBadRequest, "The batch is too large"},
	{CodeKeyNotAvailable, http.StatusServiceUnavailable, "No version of the key set may sign now"},
	{CodeHSMUnavailable, http.StatusServiceUnavailable, "The HSM is not available"},
	{CodeOverloaded, http.StatusServiceUnavailable, "The daemon is overloaded"},
	{CodeDraining, http.StatusServiceUnavailable, "The daemon is stopping"},
	{CodeAuditUnavailable, http.StatusServiceUnavailable, "The audit log can't be written"},
	{CodeTimeout, http.StatusServiceUnavailable, "The request took too long"},
	{CodeInternal, http.StatusInternalServerError, "The daemon failed"},
}

// Codes returns all codes in the order of the documentation.
func Codes() []Code {
	all := make([]Code, len(codes))
	for i, c := range codes {
		all[i] = c.code
	}
	return all
}

// Error returns the code's title, so that a Code is a sentinel error.
func (c Code) Error() string { return c.Title() }

// Status returns the HTTP status of the code; 500 for one that is not in the table.
func (c Code) Status() int {
	status, _ := c.lookup()
	return status
}

// Title returns the code's short summary, the same for every occurrence.
func (c Code) Title() string {
	_, title := c.lookup()
	return title
}

// Type returns the code's URI, the type member of a problem document.
func (c Code) Type() string { return ProblemTypePrefix + string(c) }

func (c Code) lookup() (status int, title string) {
	for _, row := range codes {
		if row.code == c {
			return row.status, row.title
		}
	}
	if c == CodeReloadRefused {
		return http.StatusConflict, "The reload failed"
	}
	return http.StatusInternalServerError, "The daemon failed"
}

// Problem is a problem document (RFC 9457) and the error that a [Service]
// returns to have it sent. Its Detail reaches the peer: it must hold nothing
// about other clients, the HSM's inside or the machine.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	// Detail says what is wrong with this request and what to do about it.
	Detail string `json:"detail,omitempty"`
	// RequestID is the response's X-Request-Id, which the daemon's log carries too.
	RequestID string `json:"request_id,omitempty"`
	// RetryAfterSeconds is when to try again; the Retry-After header is the same,
	// rounded up to whole seconds.
	RetryAfterSeconds float64 `json:"retry_after_seconds,omitempty"`
}

// NewProblem makes a problem of the table's status and title. A code outside the
// table becomes [CodeInternal] without the detail.
func NewProblem(code Code, detail string) *Problem {
	status, title := code.lookup()
	if status == http.StatusInternalServerError {
		code, detail = CodeInternal, ""
	}
	return &Problem{Type: code.Type(), Title: title, Status: status, Code: code, Detail: detail}
}

// Problemf is NewProblem with a formatted detail.
func Problemf(code Code, format string, args ...any) *Problem {
	return NewProblem(code, fmt.Sprintf(format, args...))
}

// WithRetryAfter returns a copy that tells the caller when to try again.
func (p *Problem) WithRetryAfter(d time.Duration) *Problem {
	c := *p
	c.RetryAfterSeconds = max(0, math.Ceil(d.Seconds()*1000)/1000)
	return &c
}

// RetryAfter is when to try again, 0 if the problem does not say.
func (p *Problem) RetryAfter() time.Duration {
	return time.Duration(p.RetryAfterSeconds * float64(time.Second))
}

// Error returns the title and the detail.
func (p *Problem) Error() string {
	if p.Detail == "" {
		return p.Title
	}
	return p.Title + ": " + p.Detail
}

// Unwrap returns the Code.
func (p *Problem) Unwrap() error { return p.Code }
