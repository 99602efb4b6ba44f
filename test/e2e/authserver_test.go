package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

// authServer is a small authorization server. It verifies assertions with the
// daemon's JWKS, accepts each once, and supports DPoP with nonces. test/interop
// has real ones.
type authServer struct {
	*httptest.Server
	t    *testing.T
	keys jose.JSONWebKeySet

	mu         sync.Mutex
	seen       map[string]bool // jti
	last       url.Values
	registered map[string]any
}

// carriers lists the parameters that can carry an assertion.
var carriers = []string{"client_assertion", "assertion", "subject_token", "WebIdentityToken"}

func startAuthServer(t *testing.T, d *devDaemon) *authServer {
	t.Helper()
	as := &authServer{t: t, seen: make(map[string]bool)}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /token", as.token)
	mux.HandleFunc("POST /register", as.register)
	mux.HandleFunc("/api", as.api)
	as.Server = httptest.NewServer(mux)
	t.Cleanup(as.Close)
	as.trust(d)
	return as
}

// trust makes the daemon's current keys the keys of the server's client.
func (as *authServer) trust(d *devDaemon) {
	as.t.Helper()
	text, err := d.JWKS(as.t.Context())
	if err != nil {
		as.t.Fatal(err)
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if err := json.Unmarshal(text, &as.keys); err != nil {
		as.t.Fatal(err)
	}
}

// sent returns the last token request and the last registration.
func (as *authServer) sent() (form url.Values, registered map[string]any) {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.last, as.registered
}

func (as *authServer) token(w http.ResponseWriter, r *http.Request) {
	as.mu.Lock()
	defer as.mu.Unlock()
	if err := r.ParseForm(); err != nil {
		fail(w, "invalid_request", err)
		return
	}
	as.last = r.PostForm
	kind := "Bearer"
	if proof := r.Header.Get("DPoP"); proof != "" {
		kind = "DPoP"
		if nonce, err := as.checkProof(proof, r, ""); err != nil {
			fail(w, "invalid_dpop_proof", err)
			return
		} else if nonce != "n1" {
			w.Header().Set("DPoP-Nonce", "n1")
			fail(w, "use_dpop_nonce", fmt.Errorf("use the nonce"))
			return
		}
	}
	for _, name := range carriers {
		if r.PostForm.Has(name) {
			if err := as.checkAssertion(r.PostForm.Get(name)); err != nil {
				fail(w, "invalid_client", err)
				return
			}
			json.NewEncoder(w).Encode(map[string]any{"access_token": "granted", "token_type": kind, "expires_in": 600})
			return
		}
	}
	fail(w, "invalid_client", fmt.Errorf("no assertion"))
}

func fail(w http.ResponseWriter, code string, err error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	json.NewEncoder(w).Encode(map[string]string{"error": code, "error_description": err.Error()})
}

// checkAssertion verifies the signature and the times, and accepts each jti
// once.
func (as *authServer) checkAssertion(compact string) error {
	token, err := jwt.ParseSigned(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return err
	}
	var claims jwt.Claims
	if err := token.Claims(as.keys, &claims); err != nil {
		return err
	}
	if err := claims.ValidateWithLeeway(jwt.Expected{Time: time.Now()}, time.Second); err != nil {
		return err
	}
	if claims.ID == "" || as.seen[claims.ID] {
		return fmt.Errorf("jti %q is missing or was used before", claims.ID)
	}
	as.seen[claims.ID] = true
	return nil
}

// checkProof verifies a DPoP proof with the key in its header (RFC 9449 section
// 4.3) and returns its nonce.
func (as *authServer) checkProof(compact string, r *http.Request, ath string) (string, error) {
	token, err := jwt.ParseSigned(compact, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return "", err
	}
	header := token.Headers[0]
	if header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" || header.JSONWebKey == nil {
		return "", fmt.Errorf("no DPoP header")
	}
	var claims struct {
		HTM   string `json:"htm"`
		HTU   string `json:"htu"`
		JTI   string `json:"jti"`
		Nonce string `json:"nonce"`
		ATH   string `json:"ath"`
	}
	if err := token.Claims(header.JSONWebKey.Key, &claims); err != nil {
		return "", err
	}
	if claims.HTM != r.Method || claims.HTU != as.URL+r.URL.Path || claims.ATH != ath || as.seen[claims.JTI] {
		return "", fmt.Errorf("htm %q, htu %q, ath %q, or jti %q is wrong", claims.HTM, claims.HTU, claims.ATH, claims.JTI)
	}
	as.seen[claims.JTI] = true
	return claims.Nonce, nil
}

// api accepts only DPoP-bound tokens, with its own nonce (RFC 9449 section 9).
func (as *authServer) api(w http.ResponseWriter, r *http.Request) {
	as.mu.Lock()
	defer as.mu.Unlock()
	digest := sha256.Sum256([]byte("granted"))
	nonce, err := as.checkProof(r.Header.Get("DPoP"), r, base64.RawURLEncoding.EncodeToString(digest[:]))
	switch {
	case err != nil || r.Header.Get("Authorization") != "DPoP granted":
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprintln(w, err)
	case nonce != "n2":
		w.Header().Set("DPoP-Nonce", "n2")
		w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		w.WriteHeader(http.StatusUnauthorized)
	default:
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %v\n", r.Method, body, err)
	}
}

// register is a registration endpoint (RFC 7591) that requires an initial
// access token.
func (as *authServer) register(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "Bearer granted" {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "{}")
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.registered = nil
	if err := json.NewDecoder(r.Body).Decode(&as.registered); err != nil {
		fail(w, "invalid_client_metadata", err)
		return
	}
	as.registered["client_id"] = "new-client"
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(as.registered)
}
