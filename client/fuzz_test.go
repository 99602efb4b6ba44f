package client

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/assertd/assertd/ipc"
)

// response is what a server may send.
func response(status int, kind, challenge, location string, body []byte) *http.Response {
	header := http.Header{"Content-Type": {kind}, "Www-Authenticate": {challenge}, "Date": {challenge}, "Retry-After": {location}}
	if location != "" {
		header.Set("Location", location)
	}
	return &http.Response{
		StatusCode: status, Status: challenge, Header: header, Body: io.NopCloser(strings.NewReader(string(body))),
		Request: &http.Request{Method: http.MethodPost},
	}
}

const (
	sentAssertion = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ4In0.c2lnbmF0dXJl"
	sentSecret    = "top secret of the client"
)

// FuzzTokenResponse reads what an authorization server may answer to a token
// request and to a registration. A terminal obeys nothing of the error, which
// repeats no secret and is short. A token has only characters of tokens.
func FuzzTokenResponse(f *testing.F) {
	f.Add(200, "application/json", "", "", []byte(`{"access_token":"a","token_type":"Bearer","expires_in":"60"}`))
	f.Add(200, "application/json", "", "", []byte(`{"access_token":"\u001b[2J","expires_in":1e300}`))
	f.Add(400, "application/json", "", "", []byte(`{"error":"x\u001b","error_description":"`+sentAssertion+" "+sentSecret+`"}`))
	f.Add(400, "text/html", "", "", []byte("<title>\x1b[2J&#27;"+sentAssertion+"</title>"))
	f.Add(401, "text/plain", `Bearer error="`+sentAssertion+`", error_description="`+sentSecret+`"`, "", []byte("\x9b"))
	f.Add(302, "", "", "https://x.example/"+sentAssertion+"?"+sentSecret, []byte(nil))
	f.Add(500, "application/xml", "", "", []byte("<a><b>"+sentSecret+"</b><error>\u202e</error>"))
	f.Add(400, "application/x-www-form-urlencoded", "", "", []byte("error=%1b&error_description="+strings.ReplaceAll(sentSecret, " ", "+")))
	f.Add(200, "application/json", "", "", []byte(`{"client_id":"x"}`))
	secrets := []string{sentAssertion, sentSecret}
	f.Fuzz(func(t *testing.T, status int, kind, challenge, location string, body []byte) {
		token, err := readToken(response(status, kind, challenge, location, body), ipc.SendClientAssertion, time.Unix(0, 0), secrets)
		if err == nil && (token.AccessToken == "" || strings.ContainsFunc(token.AccessToken, func(r rune) bool { return r < ' ' || r > '~' })) {
			t.Fatalf("token %q", token.AccessToken)
		}
		if err == nil && token.Expiry.Before(time.Unix(0, 0)) && !token.Expiry.IsZero() {
			t.Fatalf("expired at %v", token.Expiry)
		}
		checkError(t, err, ErrTokenEndpoint)
		registration, err := parseRegistration(response(status, kind, challenge, location, body), secrets)
		if err == nil && len(registration) == 0 {
			t.Fatal("registered without an answer")
		}
		checkError(t, err, ErrRegistration)
	})
}

func checkError(t *testing.T, err, kind error) {
	t.Helper()
	if err == nil {
		return
	}
	text := err.Error()
	if !errors.Is(err, kind) || len(text) > 2*maxErrorText+400 {
		t.Fatalf("%d bytes: %v", len(text), err)
	}
	if strings.Contains(text, sentAssertion) || strings.Contains(text, sentSecret) {
		t.Fatalf("a secret is repeated: %s", text)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsGraphic(r) }) {
		t.Fatalf("a terminal obeys %q", text)
	}
}

// FuzzDaemonAnswer reads what a program that listens on the daemon's socket may
// answer. It is an answer or an error, and no error is a grant.
func FuzzDaemonAnswer(f *testing.F) {
	f.Add(200, []byte(`{"assertion":"a.b.c","expires_at":1}`))
	f.Add(200, []byte(`{"assertion":1}`))
	f.Add(403, []byte(`{"code":"claim-not-allowed","status":200,"detail":"\u001b[2J"}`))
	f.Add(429, []byte(`{"code":"rate-limited","retry_after_seconds":-1}`))
	f.Add(503, []byte(`{"code":"hsm-unavailable","retry_after_seconds":1e300}`))
	f.Add(502, []byte("<html>"))
	c, err := New("/nonexistent")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		err := c.parseProblem(response(status, "application/problem+json", "", "", body), body)
		var problem *ipc.Problem
		switch {
		case err == nil:
			t.Fatal("a problem is no error")
		case errors.As(err, &problem) && (problem.Code == "" || problem.Status != status):
			t.Fatalf("status %d became %+v", status, problem)
		case problem != nil && problem.RetryAfter() < 0:
			t.Fatalf("try again after %v", problem.RetryAfter())
		}
		_ = err.Error()
	})
}
