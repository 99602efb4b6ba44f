package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

func TestAnswers(t *testing.T) {
	r := serve(t, &fakeService{ready: ipc.ReadyResponse{Ready: true}}, Options{Version: "1.2.3"})
	for _, c := range []struct{ method, path, body, want, kind string }{
		{"POST", "/v1/assertions", `{"grant":"g"}`, `{"assertion":"a.b.c","kid":"","alg":"","issued_at":0,"expires_at":0,"grant":"g"}`, "application/json"},
		{"POST", "/v1/assertions/batch", `{"requests":[{"grant":"g"}]}`, `{"results":[{"assertion":{"assertion":"a.b.c","kid":"","alg":"","issued_at":0,"expires_at":0,"grant":"g"}}]}`, "application/json"},
		{"POST", "/v1/sign", `{"key":"k","hash":"none","digest":"AA=="}`, `{"signature":null,"kid":""}`, "application/json"},
		{"GET", "/v1/keys", "", `{"keys":[]}`, "application/json"},
		{"GET", "/v1/jwks", "", `{"keys":[]}`, "application/jwk-set+json"},
		{"GET", "/v1/health", "", `{"status":"ok","version":"1.2.3"}`, "application/json"},
		{"GET", "/v1/ready", "", `{"ready":true}`, "application/json"},
	} {
		got := r.do(c.method, c.path, c.body)
		if body := strings.TrimSpace(string(got.body)); got.StatusCode != http.StatusOK || body != c.want {
			t.Errorf("%s: %d %s, want %s", c.path, got.StatusCode, body, c.want)
		}
		if kind := got.Header.Get("Content-Type"); kind != c.kind {
			t.Errorf("%s: Content-Type %q", c.path, kind)
		}
		if len(got.Header.Get("X-Request-Id")) != 24 || got.Header.Get("Date") == "" || got.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: header %v", c.path, got.Header)
		}
	}
}

func TestNotReady(t *testing.T) {
	r := serve(t, &fakeService{ready: ipc.ReadyResponse{Reason: ipc.ReasonStarting, Detail: "wait"}}, Options{})
	got := r.do("GET", "/v1/ready", "")
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" {
		t.Fatalf("%d %v", got.StatusCode, got.Header)
	}
	if want := `{"ready":false,"reason":"starting","detail":"wait"}`; strings.TrimSpace(string(got.body)) != want {
		t.Fatalf("%s", got.body)
	}
}

// TestRefusedRequests sends requests that never reach the service.
func TestRefusedRequests(t *testing.T) {
	r := serve(t, &fakeService{assert: func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		t.Error("the request reached the service")
		return ipc.AssertionResponse{}, nil
	}}, Options{})
	big := `{"grant":"` + strings.Repeat("x", ipc.MaxBodyBytes) + `"}`
	for name, c := range map[string]struct {
		method, path, body string
		header             []string
		want               ipc.Code
	}{
		"unknown path":      {"GET", "/", "", nil, ipc.CodeNotFound},
		"trailing slash":    {"GET", "/v1/jwks/", "", nil, ipc.CodeNotFound},
		"dots":              {"GET", "/v1/./jwks", "", nil, ipc.CodeNotFound},
		"escaped":           {"GET", "/v1/%6awks", "", nil, ipc.CodeNotFound},
		"wrong method":      {"GET", "/v1/assertions", "", nil, ipc.CodeMethodNotAllowed},
		"POST for GET":      {"POST", "/v1/ready", "{}", nil, ipc.CodeMethodNotAllowed},
		"OPTIONS":           {"OPTIONS", "/v1/assertions", "", nil, ipc.CodeMethodNotAllowed},
		"form":              {"POST", "/v1/assertions", "{}", []string{"Content-Type", "application/x-www-form-urlencoded"}, ipc.CodeUnsupportedMediaType},
		"text":              {"POST", "/v1/assertions", "{}", []string{"Content-Type", "text/plain"}, ipc.CodeUnsupportedMediaType},
		"latin":             {"POST", "/v1/assertions", "{}", []string{"Content-Type", "application/json; charset=latin1"}, ipc.CodeUnsupportedMediaType},
		"gzip":              {"POST", "/v1/assertions", "{}", []string{"Content-Encoding", "gzip"}, ipc.CodeUnsupportedMediaType},
		"too large":         {"POST", "/v1/assertions", big, nil, ipc.CodeRequestTooLarge},
		"body of a GET":     {"GET", "/v1/jwks", "{}", nil, ipc.CodeMalformedRequest},
		"query":             {"POST", "/v1/assertions?grant=a", "{}", nil, ipc.CodeMalformedRequest},
		"bare query":        {"POST", "/v1/assertions?", "{}", nil, ipc.CodeMalformedRequest},
		"browser":           {"POST", "/v1/assertions", "{}", []string{"Origin", "https://example.com"}, ipc.CodeMalformedRequest},
		"empty body":        {"POST", "/v1/assertions", "", nil, ipc.CodeMalformedRequest},
		"batch of nothing":  {"POST", "/v1/assertions/batch", `{}`, nil, ipc.CodeMalformedRequest},
		"batch of too many": {"POST", "/v1/assertions/batch", `{"requests":[` + strings.Repeat("{},", ipc.MaxBatch) + `{}]}`, nil, ipc.CodeBatchTooLarge},
		"digest too short":  {"POST", "/v1/sign", `{"key":"k","hash":"SHA-256","digest":"AA=="}`, nil, ipc.CodeMalformedRequest},
	} {
		t.Run(name, func(t *testing.T) {
			got := r.do(c.method, c.path, c.body, c.header...)
			got.problem(t, c.want)
			if allow := got.Header.Get("Allow"); (allow != "") != (c.want == ipc.CodeMethodNotAllowed) {
				t.Errorf("Allow %q", allow)
			}
		})
	}
	ok := serve(t, &fakeService{}, Options{})
	if got := ok.do("POST", "/v1/assertions", "{}", "Content-Type", "application/json; charset=UTF-8"); got.StatusCode != http.StatusOK {
		t.Errorf("a charset parameter: %s", got.body)
	}
}

// TestBadRequests sends requests that net/http answers before any handler.
func TestBadRequests(t *testing.T) {
	r := serve(t, &fakeService{}, Options{})
	for name, c := range map[string]struct {
		request string
		want    ipc.Code
	}{
		"no HTTP":           {"hello\r\n\r\n", ipc.CodeMalformedRequest},
		"no Host":           {"GET /v1/jwks HTTP/1.1\r\n\r\n", ipc.CodeMalformedRequest},
		"two lengths":       {"POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", ipc.CodeMalformedRequest},
		"two framings":      {"POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: gzip\r\n\r\n{}", ipc.CodeMalformedRequest},
		"HTTP/2":            {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", ipc.CodeNotFound},
		"HTTP/9":            {"GET / HTTP/9.9\r\nHost: a\r\n\r\n", ipc.CodeMalformedRequest},
		"expectation":       {"POST /v1/assertions HTTP/1.1\r\nHost: a\r\nExpect: the-best\r\nContent-Length: 2\r\n\r\n{}", ipc.CodeMalformedRequest},
		"header too large":  {"GET /v1/jwks HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", ipc.CodeRequestTooLarge},
		"OPTIONS *":         {"OPTIONS * HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ipc.CodeNotFound},
		"CONNECT":           {"CONNECT a:1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", ipc.CodeNotFound},
		"chunked too large": {"POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n20000\r\n" + strings.Repeat("x", 0x20000) + "\r\n0\r\n\r\n", ipc.CodeRequestTooLarge},
		"bad chunk":         {"POST /v1/assertions HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", ipc.CodeMalformedRequest},
	} {
		t.Run(name, func(t *testing.T) { r.raw(c.request).problem(t, c.want) })
	}
}

// TestBadHeadersAreNamed: what net/http knows of a header that it refuses
// reaches the person, with what to do.
func TestBadHeadersAreNamed(t *testing.T) {
	r := serve(t, &fakeService{}, Options{})
	for header, want := range map[string]string{
		"":              `no Host header, which HTTP/1.1 requires. Send one, such as "Host: assertd"`,
		"Host: a b\r\n": `The Host header is not a name of a host. Send one, such as "Host: assertd"`,
	} {
		p := r.raw("GET /v1/jwks HTTP/1.1\r\n"+header+"\r\n").problem(t, ipc.CodeMalformedRequest)
		if !strings.Contains(p.Detail, want) {
			t.Errorf("%q: %q", header, p.Detail)
		}
	}
	if p := r.raw("GET / HTTP/9.9\r\nHost: a\r\n\r\n").problem(t, ipc.CodeMalformedRequest); p.Detail != "The daemon speaks HTTP/1.1 only." {
		t.Errorf("%q", p.Detail)
	}
}

// TestErrors checks what the peer and the log get for each error of a service.
func TestErrors(t *testing.T) {
	const secret = "CKR_DEVICE_ERROR in slot 4711"
	for name, c := range map[string]struct {
		err    error
		want   ipc.Code
		detail string
		retry  string
	}{
		"problem":               {ipc.NewProblem(ipc.CodeAudienceNotAllowed, "use another"), ipc.CodeAudienceNotAllowed, "use another", ""},
		"wrapped problem":       {fmt.Errorf(secret+": %w", ipc.NewProblem(ipc.CodeGrantAmbiguous, "name one")), ipc.CodeGrantAmbiguous, "name one", ""},
		"short wait":            {ipc.NewProblem(ipc.CodeRateLimited, "").WithRetryAfter(20 * time.Millisecond), ipc.CodeRateLimited, "", "1"},
		"long wait":             {ipc.NewProblem(ipc.CodeRateLimited, "").WithRetryAfter(61500 * time.Millisecond), ipc.CodeRateLimited, "", "62"},
		"unavailable":           {ipc.NewProblem(ipc.CodeHSMUnavailable, ""), ipc.CodeHSMUnavailable, "", "1"},
		"unknown":               {errors.New(secret), ipc.CodeInternal, "", ""},
		"deadline":              {fmt.Errorf(secret+": %w", context.DeadlineExceeded), ipc.CodeTimeout, "The daemon did not answer in time. Try again.", "1"},
		"bare code":             {ipc.CodeRateLimited, ipc.CodeInternal, "", ""},
		"code outside":          {&ipc.Problem{Code: "made-up", Status: 200, Detail: secret}, ipc.CodeInternal, "", ""},
		"status outside":        {&ipc.Problem{Code: ipc.CodeDraining, Status: 200, Detail: secret}, ipc.CodeInternal, "", ""},
		"internal has no words": {ipc.NewProblem(ipc.CodeInternal, secret), ipc.CodeInternal, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := serve(t, &fakeService{fail: c.err}, Options{})
			got := r.do("POST", "/v1/assertions", "{}")
			p := got.problem(t, c.want)
			if p.Detail != c.detail || got.Header.Get("Retry-After") != c.retry {
				t.Errorf("detail %q, Retry-After %q", p.Detail, got.Header.Get("Retry-After"))
			}
			if strings.Contains(string(got.body), "4711") {
				t.Errorf("the peer sees %s", got.body)
			}
			if c.want == ipc.CodeInternal && name != "internal has no words" {
				if log := r.log.text(); !strings.Contains(log, "error ") || !strings.Contains(log, p.RequestID) {
					t.Errorf("the log lacks the error or the request id: %s", log)
				}
			}
		})
	}
}

func TestPanicIsInternal(t *testing.T) {
	r := serve(t, &fakeService{assert: func(context.Context, caller.Caller, ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		panic("a secret")
	}}, Options{})
	for range 2 { // the connection and the server live on
		got := r.do("POST", "/v1/assertions", "{}")
		if got.problem(t, ipc.CodeInternal); strings.Contains(string(got.body), "secret") {
			t.Errorf("%s", got.body)
		}
	}
	if !strings.Contains(r.log.text(), "a secret") {
		t.Error("the log does not have the panic")
	}
}

func TestWrongNumberOfResults(t *testing.T) {
	r := serve(t, &fakeService{batch: func([]ipc.AssertionRequest) []ipc.BatchResult { return nil }}, Options{})
	r.do("POST", "/v1/assertions/batch", `{"requests":[{}]}`).problem(t, ipc.CodeInternal)
}

func TestBatchResults(t *testing.T) {
	limited := ipc.NewProblem(ipc.CodeRateLimited, "wait")
	r := serve(t, &fakeService{batch: func([]ipc.AssertionRequest) []ipc.BatchResult {
		return []ipc.BatchResult{{Problem: limited}, {}, {Problem: &ipc.Problem{Code: ipc.CodeDraining, Status: 200, Detail: "4711"}}}
	}}, Options{})
	got := r.do("POST", "/v1/assertions/batch", `{"requests":[{},{},{}]}`)
	var batch ipc.BatchResponse
	if err := json.Unmarshal(got.body, &batch); err != nil || len(batch.Results) != 3 {
		t.Fatalf("%v %s", err, got.body)
	}
	first := batch.Results[0].Problem
	if first.Code != ipc.CodeRateLimited || first.RetryAfterSeconds == 0 || first.RequestID != got.Header.Get("X-Request-Id") || limited.RequestID != "" {
		t.Errorf("%+v, left as %+v", first, limited)
	}
	for _, result := range batch.Results[1:] {
		if result.Problem == nil || result.Problem.Code != ipc.CodeInternal || result.Problem.Detail != "" {
			t.Errorf("%+v", result.Problem)
		}
	}
}

func TestRequestIDReachesTheService(t *testing.T) {
	r := serve(t, &fakeService{assert: func(ctx context.Context, _ caller.Caller, _ ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		return ipc.AssertionResponse{JTI: caller.RequestID(ctx)}, nil
	}}, Options{})
	got := r.do("POST", "/v1/assertions", "{}", "X-Request-Id", "mine\tand false")
	var a ipc.AssertionResponse
	if err := json.Unmarshal(got.body, &a); err != nil || a.JTI == "" || a.JTI != got.Header.Get("X-Request-Id") {
		t.Fatalf("%v: %q and %q", err, a.JTI, got.Header.Get("X-Request-Id"))
	}
}

// TestServiceTime shows that the timeout for the body does not apply to the
// service, and that the service's own does.
func TestServiceTime(t *testing.T) {
	slow := func(ctx context.Context, _ caller.Caller, r ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		wait := 300 * time.Millisecond
		if r.Grant == "forever" {
			wait = time.Hour
		}
		select {
		case <-time.After(wait):
			return ipc.AssertionResponse{}, nil
		case <-ctx.Done():
			return ipc.AssertionResponse{}, ctx.Err()
		}
	}
	r := serve(t, &fakeService{assert: slow}, Options{BodyTimeout: 50 * time.Millisecond, RequestTimeout: time.Second})
	if got := r.do("POST", "/v1/assertions", "{}"); got.StatusCode != http.StatusOK {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	r.do("POST", "/v1/assertions", `{"grant":"forever"}`).problem(t, ipc.CodeTimeout)
}

// TestCallerLeaves shows that a caller who leaves is not a failure of the
// daemon, neither in the log nor in metrics.
func TestCallerLeaves(t *testing.T) {
	started, left, seen := make(chan struct{}), make(chan struct{}), make(observations, 1)
	r := serve(t, &fakeService{assert: func(ctx context.Context, _ caller.Caller, _ ipc.AssertionRequest) (ipc.AssertionResponse, error) {
		close(started)
		<-ctx.Done()
		close(left)
		return ipc.AssertionResponse{}, fmt.Errorf("wait for the token: %w", ctx.Err())
	}}, Options{Observer: seen})
	c := r.dial()
	io.WriteString(c, "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
	<-started
	c.Close()
	select {
	case <-left:
	case <-time.After(10 * time.Second):
		t.Fatal("the context did not end")
	}
	if o := <-seen; o.Status != statusCallerLeft || o.Code != "" || o.Route != "/v1/assertions" {
		t.Errorf("%+v", o)
	}
	if log := r.log.text(); !strings.Contains(log, "debug the caller left") || strings.Contains("\n"+log, "\nerror") {
		t.Errorf("%s", log)
	}
}

// observation is one call of an Observer.
type observation struct {
	Route  string
	Status int
	Code   ipc.Code
}

// observations is an Observer that hands on what it sees.
type observations chan observation

func (o observations) Request(route string, status int, code ipc.Code, _ time.Duration) {
	o <- observation{route, status, code}
}

func TestObserve(t *testing.T) {
	seen := make(observations, 8)
	r := serve(t, &fakeService{}, Options{Observer: seen})
	r.do("POST", "/v1/assertions", "{}")
	if o := <-seen; o.Route != "/v1/assertions" || o.Status != 200 || o.Code != "" {
		t.Errorf("%+v", o)
	}
	r.do("GET", "/nowhere/secret", "")
	if o := <-seen; o.Route != "" || o.Code != ipc.CodeNotFound {
		t.Errorf("%+v", o)
	}
	r.raw("nonsense\r\n\r\n")
	if o := <-seen; o.Code != ipc.CodeMalformedRequest {
		t.Errorf("%+v", o)
	}
}

// TestSlowPeers checks the timeouts.
func TestSlowPeers(t *testing.T) {
	r := serve(t, &fakeService{}, Options{HeaderTimeout: 80 * time.Millisecond, BodyTimeout: 160 * time.Millisecond, IdleTimeout: 100 * time.Millisecond})
	const header = "POST /v1/assertions HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
	for name, c := range map[string]struct{ sent, want string }{
		"silent":           {"", ""},
		"half a header":    {"POST /v1/ass", "malformed-request"},
		"header, no body":  {header, "timeout"},
		"header, half":     {header + "{", "timeout"},
		"idle after reply": {header + "{}", "a.b.c"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c2 := r.dial()
			defer c2.Close()
			io.WriteString(c2, c.sent)
			got, err := io.ReadAll(c2)
			if err != nil || !strings.Contains(string(got), c.want) || (c.want == "") != (len(got) == 0) {
				t.Errorf("%v: %q", err, got)
			}
		})
	}
}

// TestConnectionLimit fills the server. Callers past the limit are answered
// with overloaded until connections close, however many they are and whether or
// not they send a request.
func TestConnectionLimit(t *testing.T) {
	const most = 1024
	r := serve(t, &fakeService{}, Options{HeaderTimeout: time.Minute})
	open := make([]net.Conn, most)
	for i := range open {
		open[i] = r.dial()
	}
	peertest.Eventually(t, "all accepted", func() bool { return r.server.Connections() == most })
	r.do("GET", "/v1/health", "").problem(t, ipc.CodeOverloaded)

	silent := make([]net.Conn, 3*refusedAtOnce(most))
	for i := range silent {
		silent[i] = r.dial()
	}
	r.do("POST", "/v1/assertions", strings.Repeat(" ", 2<<20)).problem(t, ipc.CodeOverloaded)
	for _, c := range silent {
		if got, err := io.ReadAll(c); err != nil || !strings.Contains(string(got), `"overloaded"`) {
			t.Fatalf("%v %q", err, got)
		}
	}
	for _, c := range open[:10] {
		c.Close()
	}
	peertest.Eventually(t, "room", func() bool { return r.server.Connections() == most-10 })
	if got := r.do("GET", "/v1/health", ""); got.StatusCode != http.StatusOK {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
	for _, c := range open {
		c.Close()
	}
}
