package interop

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
)

// nodeServers is a process that runs the servers of node/serve.mjs.
type nodeServers struct {
	Plain, FAPI, JOSE string // issuers of the providers, and the URL of the resource

	stdin  io.WriteCloser
	stdout *bufio.Scanner
	stderr *journal
}

// metadata is client metadata (RFC 7591 section 2).
type metadata map[string]any

// startNode starts the servers. They have no clients before serve.
func startNode(t *testing.T) *nodeServers {
	t.Helper()
	s := &nodeServers{stderr: new(journal)}
	command := exec.Command(nodeProgram(t), "node/serve.mjs")
	command.Env, command.Stderr = append(os.Environ(), "NODE_ENV=test"), s.stderr
	var err error
	if s.stdin, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	s.stdout = bufio.NewScanner(out)
	t.Cleanup(func() { s.stop(t, command) })
	s.receive(t, s)
	return s
}

// nodeProgram returns the path of the Node that npm installed, which is newer
// than that of many distributions. It does not use node_modules/.bin, which npm
// 9 leaves empty with --ignore-scripts.
func nodeProgram(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob("node/node_modules/node-linux-*/bin/node")
	if err != nil || len(found) != 1 {
		t.Fatalf("want one Node in node/node_modules, found %q (%v); run: make interop", found, err)
	}
	return found[0]
}

func (s *nodeServers) stop(t *testing.T, command *exec.Cmd) {
	s.stdin.Close()
	timer := time.AfterFunc(patience, func() { _ = command.Process.Kill() })
	defer timer.Stop()
	if err := command.Wait(); err != nil {
		t.Errorf("node: %v", err)
	}
	if t.Failed() {
		t.Logf("node's standard error:\n%s", s.stderr.text())
	}
}

// receive reads one line from the process.
func (s *nodeServers) receive(t *testing.T, into any) {
	t.Helper()
	timer := time.AfterFunc(patience, func() { s.stdin.Close() }) // makes the process exit, which ends the read
	defer timer.Stop()
	if !s.stdout.Scan() {
		t.Fatalf("node printed nothing: %v\n%s", s.stdout.Err(), s.stderr.text())
	}
	if err := json.Unmarshal(s.stdout.Bytes(), into); err != nil {
		t.Fatalf("node printed %q: %v", s.stdout.Text(), err)
	}
}

// serve sends the servers their clients.
func (s *nodeServers) serve(t *testing.T, jwksURL string, plain, fapi []metadata) {
	t.Helper()
	known := asJSON(t, map[string]any{"jwks_uri": jwksURL, "plain": plain, "fapi": fapi})
	if _, err := io.WriteString(s.stdin, known+"\n"); err != nil {
		t.Fatal(err)
	}
	var answer struct{ Serving bool }
	if s.receive(t, &answer); !answer.Serving {
		t.Fatal("node is not serving")
	}
}

// privateKeyJWT is the metadata of a client with the client credentials grant.
func privateKeyJWT(id, alg, jwksURL string) metadata {
	return metadata{
		"client_id": id, "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": alg,
		"jwks_uri": jwksURL, "grant_types": []string{"client_credentials"}, "response_types": []string{},
		"redirect_uris": []string{}, "scope": "read",
	}
}

func TestOIDCProvider(t *testing.T) {
	servers := startNode(t)
	k := newToken(t)
	k.generate(t, newKey{Set: "payments", Type: hsm.P256}, newKey{Set: "stranger", Type: hsm.P256})
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion}
  stranger: {alg: ES256, use: assertion}
clients:
  - name: payments-api
    match: {uid: %d}
    grants:
      - {name: payments, key: payments, profile: oidc-provider, client_id: payments, audiences: [%q, %q, "https://other.example"]}
      - {name: rfc10070, key: payments, profile: rfc10070, client_id: payments, audiences: [%q]}
      - {name: stranger, key: stranger, profile: private_key_jwt, client_id: payments, audiences: [%q]}
jwks: {listen: "127.0.0.1:0", per_key_set: true}
`, os.Getuid(), servers.Plain, servers.Plain+"/token", servers.Plain, servers.Plain))
	own := strings.Replace(d.jwksURL, "jwks.json", "jwks/payments.json", 1) // without the stranger's key
	servers.serve(t, d.jwksURL, []metadata{privateKeyJWT("payments", "ES256", own)}, nil)
	endpoint := servers.Plain + "/token"

	t.Run("assertctl gets an access token", func(t *testing.T) {
		answer := d.accessToken(t, "--url", endpoint, "--grant", "payments", "--audience", servers.Plain, "--scope", "read")
		state := introspect(t, servers.Plain, answer.AccessToken, d.assertion(t, ipc.AssertionRequest{Grant: "payments", Audience: servers.Plain}))
		if state["active"] != true || state["client_id"] != "payments" || state["scope"] != "read" {
			t.Errorf("the access token is %v", state)
		}
	})
	good := func() string {
		return d.assertion(t, ipc.AssertionRequest{Grant: "payments", Audience: endpoint}).Assertion
	}
	used := good()
	for _, test := range []struct {
		name, assertion, want string
	}{
		{"takes the token endpoint as audience", used, ""},
		{"takes RFC 10070", d.assertion(t, ipc.AssertionRequest{Grant: "rfc10070"}).Assertion, ""},
		{"refuses a replay", used, "invalid_client"},
		{"refuses another audience", d.assertion(t, ipc.AssertionRequest{Grant: "payments", Audience: "https://other.example"}).Assertion, "invalid_client"},
		{"refuses a foreign key", forge(t, good(), "foreign"), "invalid_client"},
		{"refuses the key of another key set", d.assertion(t, ipc.AssertionRequest{Grant: "stranger"}).Assertion, "invalid_client"},
		{"refuses claims under another signature", splice(used, good()), "invalid_client"},
	} {
		t.Run(test.name, func(t *testing.T) {
			answer, err := post(t.Context(), endpoint, clientCredentials(test.assertion))
			if err != nil || answer.Error != test.want {
				t.Errorf("answer %+v, %v; want the error %q", answer, err, test.want)
			}
		})
	}
}

// introspect asks a provider about an access token (RFC 7662). It needs a new
// assertion.
func introspect(t *testing.T, issuer, accessToken string, assertion ipc.AssertionResponse) map[string]any {
	t.Helper()
	return postForm(t, issuer+"/token/introspection", url.Values{
		"token": {accessToken}, "client_assertion_type": {assertion.AssertionType}, "client_assertion": {assertion.Assertion},
	})
}

// TestFAPI2 follows FAPI 2.0: client authentication with the issuer as
// audience, sender-constrained tokens by DPoP with a server nonce, and a
// pushed, signed request. The daemon signs all three kinds of JWT, each with
// its own key set.
func TestFAPI2(t *testing.T) {
	servers := startNode(t)
	k := newToken(t)
	versions := k.generate(t, newKey{Set: "client", Type: hsm.RSA2048}, newKey{Set: "proof", Type: hsm.P256}, newKey{Set: "request", Type: hsm.Ed25519})
	endpoint := servers.FAPI + "/token"
	d := start(t, k, fmt.Sprintf(`
keys:
  client: {alg: PS256, use: assertion}
  proof: {alg: ES256, use: assertion}
  request: {alg: Ed25519, use: assertion}
clients:
  - name: tpp
    match: {uid: %d}
    grants:
      - {name: client, key: client, profile: fapi2, client_id: tpp, audiences: [%q, "https://other.example"]}
      - {name: proof, key: proof, profile: dpop, claims: {allow: {htm: [POST], htu: [%q], nonce: any}}}
      - name: request
        key: request
        profile: request-object
        client_id: tpp
        audiences: [%q]
        claims:
          set: {response_type: code, redirect_uri: "https://app.example.com/cb", scope: read, code_challenge_method: S256}
          allow: {code_challenge: any, state: any}
jwks: {listen: "127.0.0.1:0"}
`, os.Getuid(), servers.FAPI, endpoint, servers.FAPI))
	client := privateKeyJWT("tpp", "PS256", d.jwksURL)
	client["grant_types"], client["response_types"] = []string{"client_credentials", "authorization_code"}, []string{"code"}
	client["redirect_uris"], client["request_object_signing_alg"] = []string{"https://app.example.com/cb"}, "Ed25519"
	client["dpop_bound_access_tokens"] = true
	servers.serve(t, d.jwksURL, nil, []metadata{client})
	authentication := func() ipc.AssertionResponse {
		return d.assertion(t, ipc.AssertionRequest{Grant: "client", Audience: servers.FAPI})
	}

	t.Run("a token that is bound to the DPoP key", func(t *testing.T) {
		answer := d.accessToken(t, "--url", endpoint, "--grant", "client", "--audience", servers.FAPI, "--dpop", "proof", "--scope", "read")
		if answer.TokenType != "DPoP" {
			t.Errorf("the token is of type %s", answer.TokenType)
		}
		state := introspect(t, servers.FAPI, answer.AccessToken, authentication())
		bound, _ := state["cnf"].(map[string]any)
		if state["active"] != true || bound["jkt"] != versions[1].Kid {
			t.Errorf("the token is %v; want it bound to %s", state, versions[1].Kid)
		}
	})
	t.Run("no token without a proof", func(t *testing.T) {
		answer := postForm(t, endpoint, clientCredentials(authentication().Assertion))
		if answer["error"] != "invalid_grant" {
			t.Errorf("the answer is %v", answer)
		}
	})
	t.Run("no token for another audience", func(t *testing.T) {
		assertion := d.assertion(t, ipc.AssertionRequest{Grant: "client", Audience: "https://other.example"}).Assertion
		if answer := postForm(t, endpoint, clientCredentials(assertion)); answer["error"] != "invalid_client" {
			t.Errorf("the answer is %v", answer)
		}
	})
	t.Run("a signed request is pushed", func(t *testing.T) {
		challenge := sha256.Sum256([]byte("a code verifier"))
		object := d.assertion(t, ipc.AssertionRequest{Grant: "request", Claims: map[string]json.RawMessage{
			"code_challenge": json.RawMessage(asJSON(t, base64.RawURLEncoding.EncodeToString(challenge[:]))),
			"state":          json.RawMessage(`"af0ifjsldkj"`),
		}})
		form := url.Values{
			"client_assertion_type": {ipc.AssertionType}, "client_assertion": {authentication().Assertion}, "request": {object.Assertion},
		}
		answer := postForm(t, servers.FAPI+"/request", form)
		if uri, _ := answer["request_uri"].(string); !strings.HasPrefix(uri, "urn:ietf:params:oauth:request_uri:") {
			t.Errorf("the answer is %v", answer)
		}
	})
}

// postForm returns the response, whatever its status.
func postForm(t *testing.T, endpoint string, form url.Values) (answer map[string]any) {
	t.Helper()
	response, err := web.PostForm(endpoint, form)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		t.Fatalf("%s: %v", response.Status, err)
	}
	return answer
}

// verifyByJOSE verifies a JWT with npm's jose and the JWKS at its URL. It
// returns jose's error, or an empty string if the JWT is valid.
func (s *nodeServers) verifyByJOSE(ctx context.Context, assertion string) (problem string, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.JOSE, strings.NewReader(assertion))
	if err != nil {
		return "", err
	}
	response, err := web.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		return "", nil
	}
	var answer oauthAnswer
	err = json.NewDecoder(response.Body).Decode(&answer)
	return answer.Error, err
}
