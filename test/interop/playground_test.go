package interop

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// playground is a running playground, and where its parts are.
type playground struct{ simple, more, server, secure, ca string }

func startPlayground(t *testing.T) playground {
	t.Helper()
	dir, err := os.MkdirTemp("", "playground") // the path of a socket must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	program := filepath.Join(dir, "playground")
	if out, err := exec.Command("go", "build", "-o", program, "./playground").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	command := exec.Command(program, "--assertd", binary(t, "assertd"), "--dir", filepath.Join(dir, "d"),
		"--server", "127.0.0.1:0", "--tls", "127.0.0.1:0", "--jwks", freeAddress(t))
	output := new(journal)
	command.Env, command.Stdout, command.Stderr = environment(), output, output
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() {
		defer close(exited)
		_ = command.Wait()
	}()
	t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		<-exited
		if code := command.ProcessState.ExitCode(); code != 0 || t.Failed() {
			t.Errorf("the playground: exit code %d\n%s", code, output.text())
		}
	})
	deadline := time.Now().Add(2 * patience)
	for !strings.Contains(output.text(), "Press Ctrl-C") {
		select {
		case <-exited:
			t.Fatalf("the playground ended: %s", output.text())
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("the playground is not ready: %s", output.text())
		}
	}
	return playground{
		simple: filepath.Join(dir, "d", "assertd.sock"), more: filepath.Join(dir, "d", "more.sock"), ca: filepath.Join(dir, "d", "ca.pem"),
		server: printed(t, output, "TOKEN_URL=(http:[^ ]+)/token\n"), secure: printed(t, output, "CERTIFICATE_URL=(https:[^ ]+)/certificate"),
	}
}

// freeAddress returns an address at which nothing listens. Its host is one that
// nobody else uses: a free port of 127.0.0.1 can be taken before the playground
// listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	pid := os.Getpid()
	listener, err := net.Listen("tcp", fmt.Sprintf("127.77.%d.%d:0", pid>>8&255, pid&255))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

// printed returns what a pattern finds in the playground's output.
func printed(t *testing.T, output *journal, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(output.text())
	if match == nil {
		t.Fatalf("the playground does not print %s: %s", pattern, output.text())
	}
	return match[1]
}

// run runs a command in the repository, with a socket and the server's
// addresses in its environment.
func (p playground) run(t *testing.T, socket, name string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), name, args...)
	command.Dir = root
	command.Env = append(environment(), "ASSERTD_SOCKET="+socket, "TOKEN_URL="+p.server+"/token", "API_URL="+p.server+"/api",
		"CLIENT_ID=playground", "SCOPE=read",
		"CERTIFICATE_URL="+p.secure+"/certificate", "CA_FILE="+p.ca, "REQUESTS_CA_BUNDLE="+p.ca,
		"AUTHLIB_INSECURE_TRANSPORT=1", "PYTHONPATH=sdk/python/src", "PYTHONDONTWRITEBYTECODE=1")
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Errorf("%s %v: %v\n%s%s", name, args, err, out, errs.String())
	}
	return string(out)
}

func TestPlayground(t *testing.T) {
	p := startPlayground(t)
	t.Run("examples", p.runExamples)
	t.Run("grants", p.runGrants)
}

// runExamples gets a token with every example that gets one.
func (p playground) runExamples(t *testing.T) {
	node, openidClient := absolute(t, nodeProgram(t)), absolute(t, nodeExample(t, "openid-client.js"))
	programs := buildExamples(t)
	for _, example := range []struct {
		command []string
		want    string
	}{
		{[]string{"sh", "examples/curl/token.sh"}, `"access_token":"[^"]+"`},
		{[]string{debianPython, "examples/python/token.py"}, "^got a bearer token for [0-9]+ s\n$"},
		{[]string{node, "examples/node/token.mjs"}, "^got a bearer token for [0-9]+ s\n$"},
		{[]string{programs + "/go-oauth2"}, "^got a Bearer token\nthe API returned 200"},
		{[]string{programs + "/go-azidentity"}, "^got a bearer token\ngot a bearer token\n$"},
		{[]string{node, openidClient, p.server, "playground", "client-credentials"}, "^got a bearer token for [0-9]+ s\n$"},
		{[]string{debianPython, "sdk/python/examples/msal_application.py", p.secure + "/tenant", "playground", "client-credentials"},
			"^got a bearer token for [0-9]+ s\n$"},
		{[]string{debianPython, "sdk/python/examples/authlib_session.py", "client-credentials"}, "^got a bearer token for [0-9]+ s\n$"},
	} {
		if out := p.run(t, p.simple, example.command[0], example.command[1:]...); !regexp.MustCompile(example.want).MatchString(out) {
			t.Errorf("%v prints %q, want %q", example.command, out, example.want)
		}
	}
	p.runMTLSExample(t, programs+"/go-mtls")
}

// runMTLSExample gets a token that is bound to a certificate, and is of no use
// without.
func (p playground) runMTLSExample(t *testing.T, program string) {
	t.Helper()
	settings := []string{"TOKEN_URL=" + p.secure + "/token", "API_URL=" + p.secure + "/api", "CLIENT_ID=playground-tls"}
	out := p.run(t, p.more, "env", append(settings, program)...)
	if !strings.HasPrefix(out, "got a bearer token\n") || !strings.Contains(out, `"client_id":"playground-tls"`) || !strings.Contains(out, `"x5t#S256":"`) {
		t.Errorf("go-mtls prints %q", out)
	}
	refused, err := post(t.Context(), p.server+"/token", url.Values{"grant_type": {"client_credentials"}, "client_id": {"playground-tls"}})
	if err != nil || refused.Error != "invalid_client" {
		t.Errorf("without a certificate: %+v, %v", refused, err)
	}
}

func (p playground) runGrants(t *testing.T) {
	assertctl := binary(t, "assertctl")
	token := func(args ...string) map[string]any {
		out := p.run(t, p.more, assertctl, append([]string{"token", "--url", p.server + "/token", "--scope", "read"}, args...)...)
		var granted oauthAnswer
		if err := json.Unmarshal([]byte(out), &granted); err != nil {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return p.introspect(t, granted.AccessToken)
	}
	if got := token("--grant", "client-credentials"); got["active"] != true || got["client_id"] != "playground" || got["scope"] != "read" {
		t.Errorf("client credentials: %v", got)
	}
	if got := token("--grant", "jwt-bearer", "--client-auth", "client-credentials"); got["sub"] != "alice" || got["client_id"] != "playground" {
		t.Errorf("a token for somebody else: %v", got)
	}
	if got := token("--grant", "client-credentials", "--dpop", "dpop"); got["token_type"] != "DPoP" || got["cnf"] == nil {
		t.Errorf("a bound token: %v", got)
	}
	if got := p.introspect(t, "nonsense"); got["active"] != false {
		t.Errorf("no token: %v", got)
	}
	for _, bound := range [][]string{nil, {"--dpop", "dpop"}} {
		args := append([]string{"call", p.server + "/api", "--url", p.server + "/token", "--grant", "client-credentials"}, bound...)
		if out := p.run(t, p.more, assertctl, args...); !strings.Contains(out, `"client_id":"playground"`) {
			t.Errorf("%v prints %q", args, out)
		}
	}
}

func (p playground) introspect(t *testing.T, token string) (answer map[string]any) {
	t.Helper()
	response, err := http.PostForm(p.server+"/introspect", url.Values{"token": {token}})
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatal(err)
	}
	return answer
}
