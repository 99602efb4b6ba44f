package client

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// server is a token endpoint that records what it was sent.
type server struct {
	*httptest.Server
	mu     sync.Mutex
	forms  []url.Values
	proofs []string
}

func tokenServer(t *testing.T, handler func(n int, w http.ResponseWriter, r *http.Request)) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.ParseForm()
		s.mu.Lock()
		s.forms, s.proofs = append(s.forms, r.PostForm), append(s.proofs, r.Header.Get("DPoP"))
		n := len(s.forms)
		s.mu.Unlock()
		handler(n, w, r)
	}))
	t.Cleanup(s.Close)
	return s
}

// granting returns a bearer token that lasts an hour.
func granting(_ int, w http.ResponseWriter, _ *http.Request) {
	answer(w, map[string]any{"access_token": "secret", "token_type": "Bearer", "expires_in": 3600, "scope": "read"})
}

// numbered returns a client whose assertions are all different.
func numbered(t *testing.T, send ipc.Send) (*Client, *stub) {
	var n atomic.Int64
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var req ipc.AssertionRequest
		json.NewDecoder(r.Body).Decode(&req)
		one := assertion(send)
		if req.Grant == "dpop" {
			one = assertion(ipc.SendDPoP)
			one.Assertion = "proof." + string(req.Claims["htm"]) + string(req.Claims["htu"]) + string(req.Claims["nonce"]) + string(req.Claims["ath"])
		} else {
			one.Assertion = fmt.Sprintf("assertion-%d", n.Add(1))
		}
		answer(w, one)
	})
	return s.dial(t), s
}

func TestTokenRequestMatchesProfile(t *testing.T) {
	for _, row := range []struct {
		send ipc.Send
		want url.Values
	}{
		{ipc.SendClientAssertion, url.Values{"grant_type": {"client_credentials"}, "client_assertion_type": {ipc.AssertionType}, "client_assertion": {"assertion-1"}}},
		{ipc.SendGrant, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"}, "assertion": {"assertion-1"}}},
		{ipc.SendTokenExchange, url.Values{"grant_type": {"urn:ietf:params:oauth:grant-type:token-exchange"}, "subject_token": {"assertion-1"},
			"subject_token_type": {"urn:ietf:params:oauth:token-type:jwt"}, "requested_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}},
		{ipc.SendClientSecret, url.Values{"grant_type": {"client_credentials"}, "client_secret": {"assertion-1"}}},
		{ipc.SendWebIdentity, url.Values{"Action": {"AssumeRoleWithWebIdentity"}, "Version": {"2011-06-15"}, "WebIdentityToken": {"assertion-1"}}},
	} {
		t.Run(string(row.send), func(t *testing.T) {
			s := tokenServer(t, granting)
			c, _ := numbered(t, row.send)
			token, err := c.Token(t.Context(), TokenRequest{URL: s.URL, Scope: "read write", Resource: []string{"https://a.example", "https://b.example"}, ClientID: "me"})
			if err != nil {
				t.Fatal(err)
			}
			row.want["scope"], row.want["resource"], row.want["client_id"] = []string{"read write"}, []string{"https://a.example", "https://b.example"}, []string{"me"}
			if got := s.forms[0].Encode(); got != row.want.Encode() {
				t.Errorf("sent %s\nwant %s", got, row.want.Encode())
			}
			if left := time.Until(token.Expiry); token.AccessToken != "secret" || token.Scope != "read" || left < 59*time.Minute || left > time.Hour {
				t.Errorf("got %#v", token)
			}
		})
	}
}

func TestTwoAssertionsInOneRequest(t *testing.T) {
	s := tokenServer(t, granting)
	daemon := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var req ipc.AssertionRequest
		json.NewDecoder(r.Body).Decode(&req)
		one := assertion(ipc.Send(req.Grant))
		one.Assertion = req.Grant + " for " + req.Audience
		answer(w, one)
	})
	c := daemon.dial(t)
	request := func(send, auth ipc.Send) TokenRequest {
		return TokenRequest{URL: s.URL, Assertion: ipc.AssertionRequest{Grant: string(send), Audience: "a"},
			ClientAuth: &ipc.AssertionRequest{Grant: string(auth), Audience: "b"}}
	}
	for send, parameter := range map[ipc.Send]string{ipc.SendGrant: "assertion", ipc.SendTokenExchange: "subject_token"} {
		if _, err := c.Token(t.Context(), request(send, ipc.SendClientAssertion)); err != nil {
			t.Fatal(err)
		}
		got := s.forms[len(s.forms)-1]
		if got.Get(parameter) != string(send)+" for a" || got.Get("client_assertion") != "client_assertion for b" || got.Get("client_assertion_type") != ipc.AssertionType {
			t.Errorf("sent %v", got)
		}
	}
	byHand := request(ipc.SendGrant, ipc.SendClientAssertion)
	byHand.Parameters = url.Values{"client_assertion": {"x"}}
	sent := len(s.forms)
	for says, req := range map[string]TokenRequest{
		"leaves no room for client authentication": request(ipc.SendClientAssertion, ipc.SendClientAssertion),
		"does not authenticate a client":           request(ipc.SendGrant, ipc.SendGrant),
		"cannot be set by hand":                    byHand,
	} {
		if _, err := c.Token(t.Context(), req); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("got %v, want %q", err, says)
		}
	}
	bearer := request(ipc.SendBearer, ipc.SendClientAssertion)
	bearer.URL = ""
	if _, err := c.Token(t.Context(), bearer); err == nil || !strings.Contains(err.Error(), "leave the client authentication out") || len(s.forms) != sent {
		t.Errorf("got %v, after %d requests", err, len(s.forms)-sent)
	}
}

func TestTokenParameters(t *testing.T) {
	s := tokenServer(t, granting)
	c, daemon := numbered(t, ipc.SendClientAssertion)
	if _, err := c.Token(t.Context(), TokenRequest{URL: s.URL, Parameters: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"r"}}}); err != nil {
		t.Fatal(err)
	}
	if got := s.forms[0]; got.Get("grant_type") != "refresh_token" || got.Get("refresh_token") != "r" {
		t.Errorf("sent %v", got)
	}
	for _, name := range []string{"client_assertion", "client_assertion_type", "scope", "client_id", "resource"} {
		if _, err := c.Token(t.Context(), TokenRequest{URL: s.URL, Parameters: url.Values{name: {"x"}}}); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s by hand: %v", name, err)
		}
	}
	asked := daemon.calls.Load()
	for _, endpoint := range []string{"http://as.example/token", "as.example", "ftp://as.example", "https://", "http://127.0.0.1.example"} {
		if _, err := c.Token(t.Context(), TokenRequest{URL: endpoint}); !errors.Is(err, ErrTokenEndpoint) {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
	if daemon.calls.Load() != asked {
		t.Error("assertions were made for invalid endpoints")
	}
}

func TestBearerAssertionIsTheToken(t *testing.T) {
	c, daemon := numbered(t, ipc.SendBearer)
	source, err := c.TokenSource(TokenRequest{})
	if err != nil {
		t.Fatal(err)
	}
	for want := range 2 {
		token, err := source.Token(t.Context())
		if err != nil || token.AccessToken != fmt.Sprintf("assertion-%d", want+1) || token.TokenType != "Bearer" {
			t.Errorf("got %#v, %v: an assertion must be a fresh one each time", token, err)
		}
	}
	if daemon.calls.Load() != 2 {
		t.Errorf("asked %d times", daemon.calls.Load())
	}
	if _, err := c.Token(t.Context(), TokenRequest{URL: "https://as.example"}); err == nil || !strings.Contains(err.Error(), "leave the URL out") {
		t.Errorf("with a URL: %v", err)
	}
	if _, err := c.Token(t.Context(), TokenRequest{DPoP: "dpop"}); err == nil || !strings.Contains(err.Error(), "leave DPoP out") {
		t.Errorf("with DPoP: %v", err)
	}
}

func TestTokenRejectsOtherAssertions(t *testing.T) {
	for _, send := range []ipc.Send{ipc.SendDPoP, ipc.SendRequestParameter, ipc.SendCustom, "from-the-future"} {
		c, _ := numbered(t, send)
		if _, err := c.Token(t.Context(), TokenRequest{URL: "https://as.example"}); err == nil || !strings.Contains(err.Error(), "does not make assertions for token requests") {
			t.Errorf("%s: %v", send, err)
		}
	}
	c, _ := numbered(t, ipc.SendClientAssertion)
	if _, err := c.Token(t.Context(), TokenRequest{}); err == nil || !strings.Contains(err.Error(), "give its URL") {
		t.Errorf("without a URL: %v", err)
	}
}

func TestNoAssertionIsSentTwice(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler func(n int, w http.ResponseWriter, r *http.Request)
		sent    int
		works   bool
	}{
		{"a failing server", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			granting(n, w, r)
		}, 2, true},
		{"a broken connection", func(n int, w http.ResponseWriter, r *http.Request) {
			if n == 1 {
				panic(http.ErrAbortHandler)
			}
			granting(n, w, r)
		}, 2, true},
		{"a server that stays down", func(_ int, w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusBadGateway) }, 2, false},
		{"a refusal", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, map[string]string{"error": "invalid_client", "error_description": "no such client"})
		}, 1, false},
		{"a redirect", func(n int, w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, 1, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, row.handler)
			c, _ := numbered(t, ipc.SendClientAssertion)
			// A client that follows redirects must not repeat the assertion
			// either.
			_, err := c.Token(t.Context(), TokenRequest{URL: s.URL, HTTP: &http.Client{}})
			if (err == nil) != row.works || err != nil && !errors.Is(err, ErrTokenEndpoint) {
				t.Errorf("got %v", err)
			}
			seen := make(map[string]bool)
			for _, form := range s.forms {
				if one := form.Get("client_assertion"); seen[one] {
					t.Errorf("%s was sent twice", one)
				} else {
					seen[one] = true
				}
			}
			if len(s.forms) != row.sent {
				t.Errorf("%d requests, want %d", len(s.forms), row.sent)
			}
		})
	}
}

// A server that breaks the connection after reading a code has consumed it, and
// treats a second use as theft.
func TestSingleUseGrantsAreNotRetried(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler func(n int, w http.ResponseWriter, r *http.Request)
	}{
		{"a broken connection", func(int, http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"a gateway that gave up", func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGatewayTimeout) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, row.handler)
			c, daemon := numbered(t, ipc.SendClientAssertion)
			req := TokenRequest{URL: s.URL, Parameters: url.Values{"grant_type": {"authorization_code"}, "code": {"c"}}}
			_, err := c.Token(t.Context(), req)
			s.Close() // so that nothing can have seen the next request
			s.mu.Lock()
			if !errors.Is(err, ErrTokenEndpoint) || len(s.forms) != 1 {
				t.Errorf("%d requests: %v", len(s.forms), err)
			}
			s.mu.Unlock()
			asked := daemon.calls.Load()
			if _, err := c.Token(t.Context(), req); !errors.Is(err, ErrTokenEndpoint) || daemon.calls.Load()-asked != 2 {
				t.Errorf("%d attempts with nothing listening: %v", daemon.calls.Load()-asked, err)
			}
		})
	}
}

func TestDPoP(t *testing.T) {
	s := tokenServer(t, func(n int, w http.ResponseWriter, r *http.Request) {
		if !strings.Contains(r.Header.Get("DPoP"), `"fresh"`) {
			w.Header().Set("DPoP-Nonce", "fresh")
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "use_dpop_nonce"})
			return
		}
		answer(w, map[string]any{"access_token": "secret", "token_type": "DPoP", "expires_in": 60})
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	token, err := c.Token(t.Context(), TokenRequest{URL: s.URL + "/token?tenant=a#x", DPoP: "dpop"})
	if err != nil || token.TokenType != "DPoP" {
		t.Fatalf("got %#v, %v", token, err)
	}
	if want := `proof."POST""` + s.URL + `/token""fresh"`; len(s.proofs) != 2 || s.proofs[1] != want {
		t.Errorf("proofs %q, want %q at last", s.proofs, want)
	}
	if s.forms[0].Get("client_assertion") == s.forms[1].Get("client_assertion") {
		t.Error("the retry reused the assertion")
	}
	proof, err := c.Proof(t.Context(), Proof{Grant: "dpop", Method: "GET", URL: "https://api.example/a?b=c", AccessToken: "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"})
	if err != nil || proof != `proof."GET""https://api.example/a""fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"` { // RFC 9449 section 7.1
		t.Errorf("got %s, %v", proof, err)
	}
	proof, err = c.Proof(t.Context(), Proof{Grant: "dpop", Method: "GET", URL: "HTTPS://API.example:443/%7Eme/./x/../y"})
	if err != nil || proof != `proof."GET""https://api.example/~me/y"` { // RFC 9449 section 4.3
		t.Errorf("the normal form: %s, %v", proof, err)
	}
	if _, err := c.Proof(t.Context(), Proof{Grant: "dpop", Method: "GET", URL: "/a"}); err == nil || !strings.Contains(err.Error(), `"/a" is not an absolute`) {
		t.Errorf("a relative URL: %v", err)
	}
	if _, err := c.Proof(t.Context(), Proof{Grant: "other", URL: "https://api.example"}); err == nil || !strings.Contains(err.Error(), "profile is dpop") {
		t.Errorf("a grant of another profile: %v", err)
	}
}

func TestUnboundTokenIsRejected(t *testing.T) {
	s := tokenServer(t, granting)
	c, _ := numbered(t, ipc.SendClientAssertion)
	if _, err := c.Token(t.Context(), TokenRequest{URL: s.URL, DPoP: "dpop"}); !errors.Is(err, ErrTokenEndpoint) || !strings.Contains(err.Error(), "not bound to a key") {
		t.Errorf("got %v", err)
	}
}

func TestTokenErrorsSayWhatToDo(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler func(n int, w http.ResponseWriter, r *http.Request)
		says    string
	}{
		{"a page", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Write([]byte("<html>"))
		}, "a web page (text/html) instead of JSON; is this the token endpoint's URL?"},
		{"an OAuth error", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "invalid_scope", "error_description": "no such scope"})
		}, "HTTP 400 Bad Request: invalid_scope: no such scope"},
		{"an OAuth error for the terminal", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			answer(w, map[string]string{"error": "x\x1b[2J", "error_description": strings.Repeat("a", 10_000)})
		}, `x\x1b[2J: ` + strings.Repeat("a", 500)},
		{"other JSON", func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, []int{1}) }, "no access_token"},
		{"no token", func(_ int, w http.ResponseWriter, r *http.Request) { answer(w, map[string]int{"expires_in": 1}) }, "no access_token"},
		{"a clock ahead", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, map[string]string{"error": "invalid_client"})
		}, "clock is 5m ahead of the server's, so assertions look not yet valid"},
		{"a clock behind", func(_ int, w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Date", time.Now().Add(5*time.Minute).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, map[string]string{"error": "invalid_client"})
		}, "behind the server's, so assertions look expired"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, row.handler)
			c, _ := numbered(t, ipc.SendClientAssertion)
			_, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
			if !errors.Is(err, ErrTokenEndpoint) || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got %v\nwant %q in it", err, row.says)
			}
			if err != nil && strings.Contains(err.Error(), "assertion-1") {
				t.Error("the error contains the assertion")
			}
		})
	}
}

func TestTokenPrintsRedacted(t *testing.T) {
	token := Token{AccessToken: "secret", Raw: json.RawMessage(`"secret"`)}
	for _, value := range []any{token, &token, &TokenSource{token: token}, ipc.AssertionResponse{Assertion: "secret"}, &ipc.AssertionResponse{Assertion: "secret"}} {
		for _, form := range []string{"%v", "%+v", "%#v", "%s"} {
			if text := fmt.Sprintf(form, value); strings.Contains(text, "secret") {
				t.Errorf("%s of %T prints %s", form, value, text)
			}
		}
	}
}
