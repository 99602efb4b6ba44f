package ipc

import (
	"fmt"
	"math"
	"net/http"
	"time"
)

// Code is a stable error code of the API. It is also the sentinel error of
// every [Problem] with that code: errors.Is(err, ipc.CodeRateLimited).
type Code string

// The complete list of codes. A client must treat an unknown code by its HTTP
// status.
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
	CodeFrozen               Code = "frozen"
	CodeRateLimited          Code = "rate-limited"
	CodeInFlightLimit        Code = "in-flight-limit"
	CodeBatchTooLarge        Code = "batch-too-large"
	CodeKeyNotAvailable      Code = "key-not-available"
	CodeHSMUnavailable       Code = "hsm-unavailable"
	CodeOverloaded           Code = "overloaded"
	CodeDraining             Code = "draining"
	CodeAuditUnavailable     Code = "audit-unavailable"
	CodeBudgetUnavailable    Code = "budget-unavailable"
	CodeAuditDamaged         Code = "audit-damaged"
	CodeAuditRolledBack      Code = "audit-rolled-back"
	CodeTimeout              Code = "timeout"
	CodeInternal             Code = "internal"
)

// The codes of a reload, and of a freeze or thaw, that was refused. Only
// operators get them, so they are not among the [Codes].
const (
	CodeReloadRefused Code = "reload-refused"
	CodeFreezeRefused Code = "freeze-refused"
)

// ProblemTypePrefix, followed by a code, is the type member of a problem
// document.
const ProblemTypePrefix = "urn:assertd:error:"

// codes maps codes to the wire, in the order of the documentation.
var codes = []struct {
	code   Code
	status int
	title  string
}{
	{CodeMalformedRequest, http.StatusBadRequest, "The request is malformed"},
	{CodeRequestTooLarge, http.StatusRequestEntityTooLarge, "The request is too large"},
	{CodeUnsupportedMediaType, http.StatusUnsupportedMediaType, "The request's media type is not supported"},
	{CodeNotFound, http.StatusNotFound, "There is no such path"},
	{CodeMethodNotAllowed, http.StatusMethodNotAllowed, "The method is not allowed for this path"},
	{CodeUnknownCaller, http.StatusForbidden, "No client of the policy matches the caller"},
	{CodeGrantNotFound, http.StatusForbidden, "The caller has no such grant"},
	{CodeGrantAmbiguous, http.StatusConflict, "More than one grant fits"},
	{CodeAudienceRequired, http.StatusBadRequest, "The request must name an audience"},
	{CodeAudienceNotAllowed, http.StatusForbidden, "The audience is not allowed"},
	{CodeClaimNotAllowed, http.StatusForbidden, "A claim is not allowed"},
	{CodeClaimReserved, http.StatusForbidden, "Only the daemon may set this claim"},
	{CodeClaimRequired, http.StatusBadRequest, "A required claim is missing"},
	{CodeLifetimeNotAllowed, http.StatusForbidden, "The lifetime is not allowed"},
	{CodeKeyNotAllowed, http.StatusForbidden, "The key set is not allowed"},
	{CodeHashNotAllowed, http.StatusForbidden, "The hash is not allowed"},
	{CodePaddingNotAllowed, http.StatusForbidden, "The padding is not allowed"},
	{CodeFrozen, http.StatusForbidden, "Operators have frozen what the request needs"},
	{CodeRateLimited, http.StatusTooManyRequests, "A rate limit is exhausted"},
	{CodeInFlightLimit, http.StatusTooManyRequests, "Too many requests are in flight"},
	{CodeBatchTooLarge, http.StatusBadRequest, "The batch is too large"},
	{CodeKeyNotAvailable, http.StatusServiceUnavailable, "No version of the key set may sign now"},
	{CodeHSMUnavailable, http.StatusServiceUnavailable, "The HSM is not available"},
	{CodeOverloaded, http.StatusServiceUnavailable, "The daemon is overloaded"},
	{CodeDraining, http.StatusServiceUnavailable, "The daemon is stopping"},
	{CodeAuditUnavailable, http.StatusServiceUnavailable, "The audit log can't be written"},
	{CodeBudgetUnavailable, http.StatusServiceUnavailable, "A budget that hosts share can't be checked"},
	{CodeAuditDamaged, http.StatusServiceUnavailable, "The audit log is damaged"},
	{CodeAuditRolledBack, http.StatusServiceUnavailable, "The audit log was rolled back"},
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

// Status returns the HTTP status of the code, and 500 for an unknown code.
func (c Code) Status() int {
	status, _ := c.lookup()
	return status
}

// Title returns a short summary of the code, which never changes.
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
	switch c {
	case CodeReloadRefused:
		return http.StatusConflict, "The reload was refused"
	case CodeFreezeRefused:
		return http.StatusConflict, "The freeze or thaw was refused"
	}
	return http.StatusInternalServerError, "The daemon failed"
}

// Problem is a problem document (RFC 9457), and an error. Callers see its
// Detail, so that must not say anything about other clients, the machine, or
// the internals of the HSM.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Code   Code   `json:"code"`
	// Detail is one or more sentences that say what is wrong with this request,
	// and what to do about it.
	Detail string `json:"detail,omitempty"`
	// RequestID is the response's X-Request-Id, which is also in the daemon's log.
	RequestID string `json:"request_id,omitempty"`
	// RetryAfterSeconds is when to try again. The Retry-After header is the same,
	// rounded up to whole seconds.
	RetryAfterSeconds float64 `json:"retry_after_seconds,omitempty"`
}

// NewProblem makes a problem with the code's status and title. An unknown code
// becomes [CodeInternal], without the detail.
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

// longestRetry is the longest RetryAfter. Another program may answer in the
// daemon's place, with any number.
const longestRetry = 366 * 24 * time.Hour

// RetryAfter returns when to try again, or 0 if the problem doesn't say. It is
// never negative, and at most a year.
func (p *Problem) RetryAfter() time.Duration {
	return time.Duration(min(max(p.RetryAfterSeconds, 0), longestRetry.Seconds()) * float64(time.Second))
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
