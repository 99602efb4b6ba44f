package ship

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// statusError is an answer of a collector other than success.
type statusError struct {
	code   int
	status string // with the reason
	detail string // what the collector says
	after  time.Duration
}

func newStatusError(r *http.Response, answer []byte) *statusError {
	e := &statusError{code: r.StatusCode, status: r.Status}
	var status struct { // google.rpc.Status
		Message string `json:"message"`
	}
	if json.Unmarshal(answer, &status) == nil {
		e.detail = excerpt(status.Message)
	}
	if seconds, err := strconv.Atoi(r.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = time.Duration(min(seconds, int(maxPause/time.Second))) * time.Second
	}
	return e
}

func (e *statusError) Error() string {
	text := "the collector returned " + e.status
	if e.detail != "" {
		text += fmt.Sprintf(" (%q)", e.detail)
	}
	switch e.code {
	case http.StatusUnauthorized, http.StatusForbidden:
		return text + "; check audit.ship's client certificate and what the collector permits"
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return text + "; see why the collector is overloaded or away"
	case http.StatusRequestEntityTooLarge:
		return text + "; raise the size of a request that it accepts"
	}
	return text + "; check that the URL ends in /v1/logs and that it accepts OTLP in JSON over HTTP, and see its log"
}

// refusal reports whether the status can be about what was sent. OTLP lets a
// client repeat a request only after 429, 502, 503 and 504. The others below
// are about the URL, the permission or the moment, as RFC 9110 defines them:
// the lines can go out once that is fixed.
func (e *statusError) refusal() bool {
	switch e.code {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
		http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusNetworkAuthenticationRequired,
		http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusMisdirectedRequest,
		http.StatusRequestTimeout, http.StatusTooEarly, http.StatusUpgradeRequired:
		return false
	}
	return e.code >= 400
}

// excerpt is the start of what a receiver says, which may be long.
func excerpt(text string) string {
	const most = 200
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
