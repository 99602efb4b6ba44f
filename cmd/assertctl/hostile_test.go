package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/assertd/assertd/ipc"
)

// obeyed is what terminals obey: it clears the screen, in three ways, and turns
// text around.
const obeyed = "\x1b[2J\u009b2J\x9b2J\u202e\r\x07"

// echoed is an assertion that a server sends back.
var echoed = "eyJhbGciOiJFUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"payments"}`)) + ".c2lnbmF0dXJlIG9mIHRoaXM"

// harmless checks that a terminal would obey nothing of a text, and that it
// contains no assertion.
func harmless(t *testing.T, name, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s: not UTF-8: %q", name, text)
	}
	for _, r := range strings.ReplaceAll(text, "\r\n", "\n") { // a terminal's own
		if !unicode.IsGraphic(r) && r != '\n' && r != '\t' {
			t.Errorf("%s: %U in %q", name, r, text)
			return
		}
	}
	if strings.Contains(text, echoed) {
		t.Errorf("%s: the assertion is printed: %s", name, text)
	}
}

// hostileDaemon answers every request with JSON.
func hostileDaemon(t *testing.T, status int, v any) (socket string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v)
	})}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { server.Close() })
	return socket
}

// assertingDaemon gives out an assertion for a token endpoint.
func assertingDaemon(t *testing.T) string {
	return hostileDaemon(t, http.StatusOK, ipc.AssertionResponse{Assertion: echoed, AssertionType: ipc.AssertionType, Send: ipc.SendClientAssertion})
}

// hostileServer answers every request with the same bytes.
func hostileServer(t *testing.T, response string) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
					_, _ = io.Copy(io.Discard, r.Body)
					_, _ = io.WriteString(c, response)
				}
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

func reply(status, kind, body string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", status, kind, len(body), body)
}

// TestServersDontReachTheTerminal: whatever a server answers, a terminal obeys
// nothing of it, and no assertion or token that it sends back is printed.
func TestServersDontReachTheTerminal(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(secret, []byte("initial-access-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	quoted, err := json.Marshal(obeyed)
	if err != nil {
		t.Fatal(err)
	}
	description := fmt.Sprintf(`{"error": %s, "error_description": "you sent %s and initial-access-token"}`, quoted, echoed)
	for name, response := range map[string]string{
		"a reason phrase":   reply("401 "+obeyed+echoed, "text/plain", ""),
		"an OAuth error":    reply("400 Bad Request", "application/json", description),
		"an error with 200": reply("200 OK", "application/json", description),
		"text":              reply("400 Bad Request", "text/plain", obeyed+echoed+" initial-access-token"),
		"a web page":        reply("400 Bad Request", "text/html", "<title>"+obeyed+echoed+"initial-access-token</title>"),
		"a media type":      reply("400 Bad Request", "text/"+echoed, "x"),
		"a challenge": "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer error=\"" + echoed + "\", error_description=\"initial-access-token\"\r\n" +
			"Content-Length: 0\r\nConnection: close\r\n\r\n",
		"a redirect":    "HTTP/1.1 302 Found\r\nLocation: https://x.example/" + echoed + "/initial-access-token\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
		"not HTTP":      obeyed + echoed + "initial-access-token",
		"a bad token":   reply("200 OK", "application/json", fmt.Sprintf(`{"access_token": %s, "token_type": "Bearer"}`, quoted)),
		"a bad expiry":  reply("200 OK", "application/json", fmt.Sprintf(`{"access_token": "\u001b[2J", "expires_in": %s}`, quoted)),
		"a broken body": "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + obeyed,
	} {
		url := hostileServer(t, response)
		for _, args := range [][]string{
			{"--socket", assertingDaemon(t), "token", "--url", url},
			{"--socket", assertingDaemon(t), "token", "--access-token", "--url", url},
			{"--socket", assertingDaemon(t), "call", "--url", url, url},
			{"register", "--url", url, "--jwks-uri", "https://k.example/", "--initial-token-file", secret},
		} {
			code, stdout, stderr := tool(t, args...)
			what := fmt.Sprint(name, " ", args)
			harmless(t, what, stdout+stderr)
			if code == 0 || strings.Contains(stdout+stderr, "initial-access-token") && args[0] == "register" {
				t.Errorf("%s: exit code %d, %s%s", what, code, stdout, stderr)
			}
		}
	}
}

// TestDaemonsDontReachTheTerminal: another program may listen on the socket.
func TestDaemonsDontReachTheTerminal(t *testing.T) {
	problem := ipc.Problem{
		Type: obeyed, Title: obeyed, Status: http.StatusForbidden, Code: ipc.CodeClaimNotAllowed, Detail: obeyed + echoed, RequestID: obeyed,
	}
	grants := ipc.GrantsResponse{Grants: []ipc.GrantInfo{{Name: obeyed, Client: obeyed, Key: obeyed, Profile: obeyed, Audiences: []string{obeyed}}}}
	status := ipc.StatusResponse{Version: obeyed, Tokens: []ipc.TokenStatus{{Name: obeyed}}}
	for _, test := range []struct {
		status int
		answer any
		args   []string
	}{
		{http.StatusForbidden, problem, []string{"assert"}},
		{http.StatusForbidden, problem, []string{"grants"}},
		{http.StatusForbidden, problem, []string{"status"}},
		{http.StatusOK, grants, []string{"grants"}},
		{http.StatusOK, status, []string{"status"}},
		{http.StatusOK, ipc.AssertionResponse{Assertion: obeyed}, []string{"assert"}},
		{http.StatusOK, obeyed, []string{"jwks", "diff", "none"}},
	} {
		socket := hostileDaemon(t, test.status, test.answer)
		code, stdout, stderr := tool(t, append(test.args, "--socket", socket)...)
		if harmless(t, fmt.Sprint(test.args), stdout+stderr); stdout+stderr == "" {
			t.Errorf("%v: exit code %d without output", test.args, code)
		}
	}
}
