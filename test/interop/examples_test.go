package interop

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/assertd/assertd/hsm"
)

// An unusualAnswer is one of a token endpoint that some example once took for
// a token, or ended with a traceback on.
type unusualAnswer struct {
	name   string
	status int
	kind   string // media type; empty for an answer that is cut off
	text   string
	reason string // what an example must say; empty if the answer is a token
}

const (
	inJSON  = "application/json"
	webPage = "text/html"
)

var unusualAnswers = []unusualAnswer{
	{"a token without a lifetime", 200, inJSON, `{"access_token":"t","token_type":"bearer"}`, ""},
	{"a refusal with status 200", 200, inJSON, `{"error":"invalid_client","error_description":"no such key"}`, "no such key"},
	{"a refusal without a description", 400, inJSON, `{"error":"invalid_client"}`, "invalid_client|400"},
	{"a refusal of another form", 403, inJSON, `{"error":{"code":7,"message":"no"}}`, "."},
	{"a list", 200, inJSON, `[]`, "."},
	{"null", 200, inJSON, `null`, "."},
	{"a web page", 200, webPage, "<html><title>Sign in</title></html>", "."},
	{"a web page of a proxy", 502, webPage, "<html><title>502 Bad Gateway</title></html>", "502"},
	{"nothing", 204, inJSON, "", "."},
	{"half an answer", 200, "", `{"access_`, "."},
}

// strangeServer answers each token request below /N with the unusual answer N.
func strangeServer(w http.ResponseWriter, r *http.Request) {
	var n int
	if _, err := fmt.Sscanf(r.URL.Path, "/%d/", &n); err != nil || n >= len(unusualAnswers) {
		http.NotFound(w, r)
		return
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	base := fmt.Sprintf("%s://%s/%d", scheme, r.Host, n)
	switch {
	case strings.HasSuffix(r.URL.Path, "/.well-known/openid-configuration"):
		w.Header().Set("Content-Type", inJSON)
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": base, "token_endpoint": base + "/token", "authorization_endpoint": base + "/authorize",
		})
	case strings.HasSuffix(r.URL.Path, "/certificate"): // any will do: the server asks for none
		_ = pem.Encode(w, &pem.Block{Type: "CERTIFICATE", Bytes: []byte("some certificate")})
	default:
		unusualAnswers[n].write(w)
	}
}

func (a unusualAnswer) write(w http.ResponseWriter) {
	if a.kind == "" {
		w.Header().Set("Content-Length", "100")
	} else {
		w.Header().Set("Content-Type", a.kind)
	}
	w.WriteHeader(a.status)
	fmt.Fprint(w, a.text)
}

// confused matches what an example prints if it did not expect an answer.
var confused = regexp.MustCompile(`Traceback|undefined|\[object|NaN|panic|None|%!`)

// check compares what an example printed with the answer that it got.
func (a unusualAnswer) check(t *testing.T, command []string, stdout, stderr string, code int) {
	t.Helper()
	said := fmt.Sprintf("%v on %s: exit code %d: %s%s", command, a.name, code, stdout, stderr)
	switch {
	case confused.MatchString(stdout + stderr):
		t.Errorf("confused: %s", said)
	case (code == 0) != (a.reason == ""):
		t.Error(said)
	case code != 0 && (stdout != "" || !regexp.MustCompile(a.reason).MatchString(stderr)):
		t.Errorf("no reason: %s", said)
	}
}

// TestExamplesOnUnusualAnswers runs every example that gets a token against a
// token endpoint that answers unlike others.
func TestExamplesOnUnusualAnswers(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(strangeServer))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.HandlerFunc(strangeServer))
	t.Cleanup(secure.Close)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o600); err != nil {
		t.Fatal(err)
	}
	k := newToken(t)
	k.generate(t, newKey{Set: "payments", Type: hsm.P256}, newKey{Set: "mtls", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion}
  mtls: {alg: ES256, use: raw}
clients:
  - name: payments
    match: {uid: %d}
    grants:
      - {name: payments, key: payments, profile: private_key_jwt, client_id: payments, audiences: ["https://as.example"]}
      - {name: mtls, key: mtls, hashes: [SHA-256]}
`, os.Getuid()))
	programs := buildExamples(t)
	node := absolute(t, nodeProgram(t))
	openidClient := absolute(t, nodeExample(t, "openid-client.js"))
	for n, answer := range unusualAnswers {
		base, secureBase := fmt.Sprintf("%s/%d", plain.URL, n), fmt.Sprintf("%s/%d", secure.URL, n)
		mtls := []string{"TOKEN_URL=" + secureBase + "/token", "CERTIFICATE_URL=" + secureBase + "/certificate"}
		var running sync.WaitGroup
		for _, command := range [][]string{
			{"sh", "examples/curl/token.sh"},
			{debianPython, "examples/python/token.py"},
			{node, "examples/node/token.mjs"},
			{programs + "/go-oauth2"},
			{programs + "/go-azidentity"},
			{node, openidClient, base, "payments", "payments"},
			{debianPython, "sdk/python/examples/authlib_session.py", "payments"},
			{debianPython, "sdk/python/examples/msal_application.py", secureBase + "/tenant", "payments", "payments"},
			slices.Concat([]string{"env"}, mtls, []string{programs + "/go-mtls", "mtls"}),
		} {
			running.Go(func() {
				stdout, stderr, code := runExample(t, command,
					"ASSERTD_SOCKET="+d.socket, "TOKEN_URL="+base+"/token", "REQUESTS_CA_BUNDLE="+ca, "CA_FILE="+ca)
				answer.check(t, command, stdout, stderr, code)
			})
		}
		running.Wait()
	}
}

// TestExamplesOnAnotherSocket runs the examples that use no package of ours
// with a socket at which something else answers.
func TestExamplesOnAnotherSocket(t *testing.T) {
	dir, err := os.MkdirTemp("", "other") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	node := absolute(t, nodeProgram(t))
	for n, answer := range unusualAnswers {
		answer.reason = "." // none of them is an assertion
		socket := filepath.Join(dir, fmt.Sprint(n))
		listener, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer.write(w) })}
		go func() { _ = server.Serve(listener) }()
		t.Cleanup(func() { server.Close() })
		for _, command := range [][]string{
			{"sh", "examples/curl/token.sh"}, {debianPython, "examples/python/token.py"}, {node, "examples/node/token.mjs"},
		} {
			stdout, stderr, code := runExample(t, command, "ASSERTD_SOCKET="+socket, "TOKEN_URL=http://127.0.0.1:1/token")
			answer.check(t, command, stdout, stderr, code)
		}
	}
}

// runExample runs a command in the repository.
func runExample(t *testing.T, command []string, settings ...string) (stdout, stderr string, code int) {
	t.Helper()
	process := exec.CommandContext(t.Context(), command[0], command[1:]...)
	process.Dir = root
	process.Env = append(environment(), append(settings,
		"AUTHLIB_INSECURE_TRANSPORT=1", "PYTHONPATH=sdk/python/src", "PYTHONDONTWRITEBYTECODE=1")...)
	var out, errs bytes.Buffer
	process.Stdout, process.Stderr = &out, &errs
	_ = process.Run() // callers check the exit code
	return out.String(), errs.String(), process.ProcessState.ExitCode()
}

// buildExamples builds the Go examples and returns the directory of the
// programs.
func buildExamples(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	command := exec.Command("go", "build", "-o", dir, "./examples/go-oauth2", "./examples/go-azidentity", "./examples/go-mtls")
	command.Dir = root
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}
