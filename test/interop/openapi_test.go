package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
)

// contract is ipc/openapi.yaml, and the parts of it that responses have shown.
type contract struct {
	document *openapi3.T
	router   routers.Router
	shown    map[string]map[int]bool // operation ID to status codes
	codes    map[ipc.Code]bool
}

func readContract(t *testing.T) *contract {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(ipc.OpenAPI())
	if err != nil {
		t.Fatal(err)
	}
	if err := document.Validate(t.Context(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatalf("openapi.yaml: %v", err)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		t.Fatal(err)
	}
	return &contract{document: document, router: router, shown: map[string]map[int]bool{}, codes: map[ipc.Code]bool{}}
}

// exchange is a request and the expected response.
type exchange struct {
	name, method, path, body string
	mediaType                string // of the body; application/json if empty

	want ipc.Code // empty for success
	// outside means that the request violates the document, which the validator
	// must detect as well.
	outside bool
}

// check sends the request and checks request and response against the document.
func (c *contract) check(t *testing.T, d *daemon, e exchange) {
	t.Helper()
	request := e.request(t)
	operation := &http.Request{Method: c.documentedMethod(e), URL: request.URL, Host: request.Host}
	route, parameters, err := c.router.FindRoute(operation)
	if err != nil {
		t.Fatalf("%s %s is not in the document: %v", e.method, e.path, err)
	}
	input := &openapi3filter.RequestValidationInput{
		Request: request, PathParams: parameters, Route: route,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	if operation.Method == e.method { // for other methods the document has only the response
		if err := openapi3filter.ValidateRequest(t.Context(), input); (err != nil) != e.outside {
			t.Errorf("validate the request: %v; want an error: %v", err, e.outside)
		}
	}
	response, body := d.roundTrip(t, e.request(t))
	c.checkResponse(t, input, response, body, e.want)
	id := route.Operation.OperationID
	if c.shown[id] == nil {
		c.shown[id] = map[int]bool{}
	}
	c.shown[id][response.StatusCode], c.codes[e.want] = true, true
}

func (c *contract) checkResponse(t *testing.T, input *openapi3filter.RequestValidationInput, response *http.Response, body []byte, want ipc.Code) {
	t.Helper()
	err := openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input, Status: response.StatusCode, Header: response.Header,
		Body: io.NopCloser(bytes.NewReader(body)), Options: input.Options,
	})
	if err != nil {
		t.Errorf("validate the response: %v\n%s", err, body)
	}
	if want == "" {
		if response.StatusCode != http.StatusOK {
			t.Errorf("status %s: %s", response.Status, body)
		}
		return
	}
	var problem ipc.Problem
	if err := json.Unmarshal(body, &problem); err != nil || problem.Code != want || response.StatusCode != want.Status() {
		t.Errorf("status %s: %s\nwant the problem %s", response.Status, body, want)
	}
	if problem.RequestID != response.Header.Get("X-Request-Id") {
		t.Errorf("request id %q in the body, %q in the header", problem.RequestID, response.Header.Get("X-Request-Id"))
	}
}

func (e exchange) request(t *testing.T) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), e.method, "http://assertd"+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	if e.body != "" {
		request.Header.Set("Content-Type", "application/json")
	}
	if e.mediaType != "" {
		request.Header.Set("Content-Type", e.mediaType)
	}
	return request
}

// documentedMethod returns the method of the exchange, or one that the document
// has for the path.
func (c *contract) documentedMethod(e exchange) string {
	item := c.document.Paths.Find(e.path)
	if item == nil || item.GetOperation(e.method) != nil {
		return e.method
	}
	for method := range item.Operations() {
		return method
	}
	return e.method
}

// roundTrip sends a request as it is and reads the whole response. It reads
// while it writes: the daemon may refuse a request before it has read all of
// it, and then closes the connection. net/http's client reports either the
// response or the failed write, whichever comes first.
func (d *daemon) roundTrip(t *testing.T, request *http.Request) (*http.Response, []byte) {
	t.Helper()
	connection, err := net.Dial("unix", d.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	var wire bytes.Buffer
	request.Close = true
	if err := request.Write(&wire); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() {
		_, err := connection.Write(wire.Bytes())
		written <- err
	}()
	response, err := http.ReadResponse(bufio.NewReader(connection), request)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := <-written; err != nil && !cutOff(response, err) {
		t.Fatalf("write: %v; the response: %s: %s", err, response.Status, body)
	}
	return response, body
}

// cutOff reports whether a write failed because the daemon had refused the
// request as too large and closed the connection.
func cutOff(response *http.Response, err error) bool {
	return response.StatusCode == http.StatusRequestEntityTooLarge && response.Close &&
		(errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET))
}

const digest = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" // SHA-256 of nothing

func TestOpenAPI(t *testing.T) {
	c := readContract(t)
	k := newToken(t)
	versions := k.generate(t, newKey{Set: "payments", Type: hsm.P256}, newKey{Set: "mtls", Type: hsm.P256}, newKey{Set: "tls", Type: hsm.RSA2048})
	configuration := `
keys:
  payments: {alg: ES256, use: assertion, rotation: {revoke: [%s]}}
  mtls: {alg: ES256, use: raw, rotation: {revoke: [%s]}}
  tls: {alg: RS256, use: raw, rotation: {revoke: [%s]}}
clients:
  - name: payments-api
    match: {uid: %d}
    grants:
      - name: bank-a
        key: payments
        profile: private_key_jwt
        client_id: a
        audiences: ["https://a.example", "https://both.example"]
        lifetime: {default: 60s, max: 120s}
        claims: {allow: {scope: [read, write], purpose: any}, set: {tier: gold}}
        rate: [{limit: 1000, per: 1s, burst: 2000}]
      - {name: bank-b, key: payments, profile: private_key_jwt, client_id: b, audiences: ["https://both.example"]}
      - name: bank-c
        key: payments
        profile: private_key_jwt
        client_id: c
        audiences: ["https://c.example"]
        claims: {allow: {scope: [read]}, require: [scope]}
        rate: [{limit: 1, per: 1h}]
      - {name: mtls, key: mtls}
      - {name: tls, key: tls, paddings: [pkcs1v15]}
jwks: {listen: "127.0.0.1:0"}
operator: {socket: ` + operatorSocket(t) + `}
`
	d := start(t, k, fmt.Sprintf(configuration, "", "", "", os.Getuid()))
	for _, e := range []exchange{
		{name: "an assertion", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b"}`},
		{name: "everything asked for", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-a","audience":"https://a.example","claims":{"scope":"read write","purpose":{"of":[1,true]}},"lifetime_seconds":30}`},
		{name: "a parameter of the media type", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b"}`, mediaType: "application/json; charset=utf-8"},
		{name: "two grants fit", method: "POST", path: "/v1/assertions", body: `{"audience":"https://both.example"}`, want: ipc.CodeGrantAmbiguous},
		{name: "two audiences", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-a"}`, want: ipc.CodeAudienceRequired},
		{name: "no such grant", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-z"}`, want: ipc.CodeGrantNotFound},
		{name: "another audience", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b","audience":"https://evil.example"}`, want: ipc.CodeAudienceNotAllowed},
		{name: "another claim", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b","claims":{"admin":true}}`, want: ipc.CodeClaimNotAllowed},
		{name: "a registered claim", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b","claims":{"sub":"root"}}`, want: ipc.CodeClaimReserved},
		{name: "no required claim", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-c"}`, want: ipc.CodeClaimRequired},
		{name: "too long a life", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b","lifetime_seconds":86400}`, want: ipc.CodeLifetimeNotAllowed},
		{name: "the budget", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-c","claims":{"scope":"read"}}`},
		{name: "past the budget", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-c","claims":{"scope":"read"}}`, want: ipc.CodeRateLimited},
		{name: "no JSON", method: "POST", path: "/v1/assertions", body: `{`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "no body", method: "POST", path: "/v1/assertions", want: ipc.CodeUnsupportedMediaType, outside: true},
		{name: "an unknown member", method: "POST", path: "/v1/assertions", body: `{"aud":"https://a.example"}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "null", method: "POST", path: "/v1/assertions", body: `{"grant":null}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "an empty name", method: "POST", path: "/v1/assertions", body: `{"grant":""}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a life of nothing", method: "POST", path: "/v1/assertions", body: `{"lifetime_seconds":0}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a fraction of a second", method: "POST", path: "/v1/assertions", body: `{"lifetime_seconds":1.5}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a long audience", method: "POST", path: "/v1/assertions", body: `{"audience":"` + strings.Repeat("a", 513) + `"}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a member twice", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-a","grant":"bank-b"}`, want: ipc.CodeMalformedRequest},
		{name: "a large body", method: "POST", path: "/v1/assertions", body: `{"claims":{"scope":"` + strings.Repeat("a", 64<<10) + `"}}`, want: ipc.CodeRequestTooLarge},
		{name: "a form", method: "POST", path: "/v1/assertions", body: `grant=bank-b`, mediaType: "application/x-www-form-urlencoded", want: ipc.CodeUnsupportedMediaType, outside: true},
		{name: "another method", method: "PUT", path: "/v1/assertions", body: `{}`, want: ipc.CodeMethodNotAllowed},

		{name: "a batch", method: "POST", path: "/v1/assertions/batch", body: `{"requests":[{"grant":"bank-b"},{"grant":"bank-z"},{"grant":"bank-c","claims":{"scope":"read"}}]}`},
		{name: "an empty batch", method: "POST", path: "/v1/assertions/batch", body: `{"requests":[]}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a large batch", method: "POST", path: "/v1/assertions/batch", body: `{"requests":[{}` + strings.Repeat(`,{}`, 64) + `]}`, want: ipc.CodeBatchTooLarge, outside: true},

		{name: "a signature", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"SHA-256","digest":"` + digest + `"}`},
		{name: "an RSA signature", method: "POST", path: "/v1/sign", body: `{"key":"tls","hash":"SHA-256","digest":"` + digest + `","padding":"pkcs1v15"}`},
		{name: "a key for assertions", method: "POST", path: "/v1/sign", body: `{"key":"payments","hash":"SHA-256","digest":"` + digest + `"}`, want: ipc.CodeKeyNotAllowed},
		{name: "another padding", method: "POST", path: "/v1/sign", body: `{"key":"tls","hash":"SHA-256","digest":"` + digest + `","padding":"pss"}`, want: ipc.CodePaddingNotAllowed},
		{name: "another hash", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"SHA-512","digest":"` + strings.Repeat("A", 86) + `=="}`, want: ipc.CodeHashNotAllowed},
		{name: "an unknown hash", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"MD5","digest":"` + digest + `"}`, want: ipc.CodeMalformedRequest, outside: true},
		{name: "a digest of another size", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"SHA-256","digest":"AAAA"}`, want: ipc.CodeMalformedRequest},

		{name: "grants", method: "GET", path: "/v1/grants"},
		{name: "keys", method: "GET", path: "/v1/keys"},
		{name: "jwks", method: "GET", path: "/v1/jwks"},
		{name: "health", method: "GET", path: "/v1/health"},
		{name: "ready", method: "GET", path: "/v1/ready"},
	} {
		t.Run(e.name, func(t *testing.T) { c.check(t, d, e) })
	}
	for path := range c.document.Paths.Map() {
		t.Run("DELETE "+path, func(t *testing.T) {
			c.check(t, d, exchange{method: "DELETE", path: path, want: ipc.CodeMethodNotAllowed})
		})
	}
	t.Run("another path", func(t *testing.T) {
		response, body := d.roundTrip(t, exchange{method: "GET", path: "/v2/assertions"}.request(t))
		c.checkComponent(t, "NotFound", response, body)
	})

	d.freeze(t, ipc.FreezeTarget{All: true})
	for _, e := range []exchange{
		{name: "a frozen assertion", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b"}`, want: ipc.CodeFrozen},
		{name: "a frozen signature", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"SHA-256","digest":"` + digest + `"}`, want: ipc.CodeFrozen},
	} {
		t.Run(e.name, func(t *testing.T) { c.check(t, d, e) })
	}
	d.thaw(t, ipc.FreezeTarget{All: true})

	d.reload(t, fmt.Sprintf(configuration, versions[0].Kid, "", versions[2].Kid, os.Getuid()))
	for _, e := range []exchange{
		{name: "ready for one key set", method: "GET", path: "/v1/ready"},
		{name: "keys of one key set", method: "GET", path: "/v1/keys"},
	} {
		t.Run(e.name, func(t *testing.T) { c.check(t, d, e) })
	}
	d.reload(t, fmt.Sprintf(configuration, versions[0].Kid, versions[1].Kid, versions[2].Kid, os.Getuid()))
	d.await(t, "end of readiness", func() bool {
		response, _ := d.roundTrip(t, exchange{method: "GET", path: "/v1/ready"}.request(t))
		return response.StatusCode == http.StatusServiceUnavailable
	})
	for _, e := range []exchange{
		{name: "a revoked key", method: "POST", path: "/v1/assertions", body: `{"grant":"bank-b"}`, want: ipc.CodeKeyNotAvailable},
		{name: "a revoked raw key", method: "POST", path: "/v1/sign", body: `{"key":"tls","hash":"SHA-256","digest":"` + digest + `"}`, want: ipc.CodeKeyNotAvailable},
		{name: "grants without a key", method: "GET", path: "/v1/grants"},
		{name: "keys without a key", method: "GET", path: "/v1/keys", want: ipc.CodeKeyNotAvailable},
		{name: "an empty jwks", method: "GET", path: "/v1/jwks"},
	} {
		t.Run(e.name, func(t *testing.T) { c.check(t, d, e) })
	}
	t.Run("not ready", func(t *testing.T) { c.checkReadiness(t, d) })

	d.reload(t, fmt.Sprintf(configuration, "", "", "", os.Getuid()+1))
	for _, e := range []exchange{
		{name: "unknown to assertions", method: "POST", path: "/v1/assertions", body: `{}`, want: ipc.CodeUnknownCaller},
		{name: "unknown to a batch", method: "POST", path: "/v1/assertions/batch", body: `{"requests":[{}]}`},
		{name: "unknown to sign", method: "POST", path: "/v1/sign", body: `{"key":"mtls","hash":"SHA-256","digest":"` + digest + `"}`, want: ipc.CodeUnknownCaller},
		{name: "grants of nobody", method: "GET", path: "/v1/grants"},
		{name: "keys of nobody", method: "GET", path: "/v1/keys"},
	} {
		t.Run(e.name, func(t *testing.T) { c.check(t, d, e) })
	}
	c.whole(t)
}

// checkComponent checks a response for a path that is not in the document.
func (c *contract) checkComponent(t *testing.T, name string, response *http.Response, body []byte) {
	t.Helper()
	var problem any
	if err := json.Unmarshal(body, &problem); err != nil {
		t.Fatal(err)
	}
	mediaType := c.document.Components.Responses[name].Value.Content[response.Header.Get("Content-Type")]
	if mediaType == nil {
		t.Fatalf("%s: the document lacks media type %s for %s", response.Status, response.Header.Get("Content-Type"), name)
	}
	if err := mediaType.Schema.Value.VisitJSON(problem); err != nil {
		t.Error(err)
	}
}

// checkReadiness checks the response of a daemon that is not ready.
func (c *contract) checkReadiness(t *testing.T, d *daemon) {
	e := exchange{method: "GET", path: "/v1/ready"}
	route, parameters, err := c.router.FindRoute(e.request(t))
	if err != nil {
		t.Fatal(err)
	}
	response, body := d.roundTrip(t, e.request(t))
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: e.request(t), PathParams: parameters, Route: route},
		Status:                 response.StatusCode, Header: response.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	var answer ipc.ReadyResponse
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatal(err)
	}
	if err != nil || answer.Ready || answer.Reason != ipc.ReasonKeyNotAvailable || response.Header.Get("Retry-After") == "" {
		t.Errorf("%s %v: %+v, %v", response.Status, response.Header, answer, err)
	}
}

// reload replaces the configuration and reloads with SIGHUP.
func (d *daemon) reload(t *testing.T, configuration string) {
	t.Helper()
	before := strings.Count(d.log.text(), `"reloaded"`)
	d.configure(t, configuration)
	if err := d.process.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.await(t, "reload", func() bool {
		if log := d.log.text(); strings.Contains(log, "reload refused") {
			t.Fatal("the daemon refused the configuration:\n" + log)
		}
		return strings.Count(d.log.text(), `"reloaded"`) > before
	})
}

// whole checks that each operation has shown a success and a problem, and that
// all codes were shown except those that need a fault.
func (c *contract) whole(t *testing.T) {
	t.Helper()
	for path, item := range c.document.Paths.Map() {
		for method, operation := range item.Operations() {
			if shown := c.shown[operation.OperationID]; !shown[http.StatusOK] || len(shown) < 2 {
				t.Errorf("%s %s: saw only the status codes %v", method, path, shown)
			}
		}
	}
	faults := map[ipc.Code]bool{ // of the machine or of timing; package ipc shows these
		ipc.CodeHSMUnavailable: true, ipc.CodeOverloaded: true, ipc.CodeDraining: true, ipc.CodeAuditUnavailable: true, ipc.CodeBudgetUnavailable: true,
		ipc.CodeAuditDamaged: true, ipc.CodeAuditRolledBack: true, ipc.CodeTimeout: true, ipc.CodeInternal: true, ipc.CodeInFlightLimit: true,
		ipc.CodeNotFound: true, // of paths that the document doesn't have
	}
	for _, code := range ipc.Codes() {
		if c.codes[code] == faults[code] {
			t.Errorf("code %s: shown %v, needs a fault %v", code, c.codes[code], faults[code])
		}
	}
}
