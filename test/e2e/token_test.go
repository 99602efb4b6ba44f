package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// families are grants for each way to send an assertion.
const families = `
      - {name: grant, key: dev, profile: jwt-bearer, issuer: "https://id.example", subject: batch, audiences: ["https://as.example/token"]}
      - {name: google, key: dev, profile: google-workload-identity, issuer: "https://id.example", subject: api, audiences: ["https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/prod/providers/assertd"]}
      - {name: aws, key: dev, profile: aws-web-identity, issuer: "https://id.example", subject: api, audiences: [sts.amazonaws.com]}
      - {name: own, key: dev, profile: custom, issuer: me, subject: me, audiences: [you]}
      - {name: bearer, key: dev, profile: spiffe-jwt-svid, issuer: "https://id.example", subject: "spiffe://example.org/api", audiences: [ledger]}
      - {name: proof, key: dpop, profile: dpop, claims: {allow: {htm: [POST, GET], htu: ["%[1]s/token", "%[1]s/api"], nonce: any, ath: any}}}
`

// TestTokenOfEveryFamily sends each kind of assertion to a server that verifies
// it.
func TestTokenOfEveryFamily(t *testing.T) {
	d := startDev(t)
	as := startAuthServer(t, d)
	d.reconfigure(t, "  dev-raw: {", "  dpop: {alg: ES256, use: assertion}\n  dev-raw: {", "example", "dpop")
	d.reconfigure(t, "      - {name: raw, ", strings.TrimPrefix(fmt.Sprintf(families, as.URL), "\n")+"      - {name: raw, ", "proof")
	as.trust(d)
	token := func(t *testing.T, args ...string) map[string]any {
		t.Helper()
		var answer map[string]any
		if err := json.Unmarshal([]byte(d.must(t, "assertctl", append([]string{"token"}, args...)...)), &answer); err != nil {
			t.Fatal(err)
		}
		return answer
	}
	for _, row := range []struct {
		grant, carrier, grantType string
		more                      []string
	}{
		{"example", "client_assertion", "client_credentials", []string{"--scope", "read write", "--resource", "https://api.example"}},
		{"grant", "assertion", "urn:ietf:params:oauth:grant-type:jwt-bearer", nil},
		{"google", "subject_token", "urn:ietf:params:oauth:grant-type:token-exchange", []string{"--param", "audience=//iam.googleapis.com/pool"}},
		{"aws", "WebIdentityToken", "", []string{"--param", "RoleArn=arn:aws:iam::1:role/r"}},
	} {
		t.Run(row.grant, func(t *testing.T) {
			answer := token(t, append([]string{"--grant", row.grant, "--url", as.URL + "/token"}, row.more...)...)
			form, _ := as.sent()
			if answer["access_token"] != "granted" || form.Get("grant_type") != row.grantType || !form.Has(row.carrier) {
				t.Errorf("got %v for %v", answer, form)
			}
		})
	}
	t.Run("bearer", func(t *testing.T) {
		if answer := token(t, "--grant", "bearer"); !strings.HasPrefix(answer["access_token"].(string), "ey") || answer["token_type"] != "Bearer" {
			t.Errorf("got %v", answer)
		}
	})
	t.Run("dpop", func(t *testing.T) {
		if answer := token(t, "--grant", "example", "--url", as.URL+"/token", "--dpop", "proof"); answer["token_type"] != "DPoP" {
			t.Errorf("got %v", answer)
		}
	})
	t.Run("call by dpop", func(t *testing.T) {
		body := filepath.Join(t.TempDir(), "body")
		if err := os.WriteFile(body, []byte("{}"), 0o600); err != nil {
			t.Fatal(err)
		}
		call := []string{"call", "--grant", "example", "--url", as.URL + "/token", "--dpop", "proof", as.URL + "/api?page=1"}
		if got := d.must(t, "assertctl", append(call, "--method", "POST", "--body", body)...); got != "POST {} <nil>\n" {
			t.Errorf("got %q", got)
		}
		if got := d.must(t, "assertctl", call...); got != "GET  <nil>\n" {
			t.Errorf("got %q", got)
		}
	})
	for grant, says := range map[string]string{"proof": "DPoP proof", "own": "as its receiver requires", "bearer": "leave the URL out"} {
		t.Run("refused "+grant, func(t *testing.T) {
			args := []string{"token", "--grant", grant, "--url", as.URL + "/token"}
			if grant == "proof" {
				args = append(args, "--claim", "htm=POST", "--claim", "htu="+as.URL+"/token")
			}
			if _, stderr, err := d.run(t, "assertctl", args...); err == nil || !strings.Contains(stderr, says) {
				t.Errorf("%v: %s", err, stderr)
			}
		})
	}
}

// TestRegister registers a client with an initial access token obtained with an
// assertion.
func TestRegister(t *testing.T) {
	d := startDev(t)
	as := startAuthServer(t, d)
	out := filepath.Join(t.TempDir(), "client.json")
	answer := d.must(t, "assertctl", "register", "--url", as.URL+"/register", "--name", "payments", "--alg", "ES256",
		"--token-url", as.URL+"/token", "--token-scope", "dcr", "--out", out)
	stored, err := os.ReadFile(out)
	if err != nil || string(stored) != answer || !strings.Contains(answer, `"client_id":"new-client"`) {
		t.Errorf("printed %s, stored %s, %v", answer, stored, err)
	}
	form, registered := as.sent()
	keys, _ := registered["jwks"].(map[string]any)
	if list, _ := keys["keys"].([]any); len(list) != 1 || registered["token_endpoint_auth_method"] != "private_key_jwt" || form.Get("scope") != "dcr" {
		t.Errorf("registered %v", registered)
	}
	if _, stderr, err := d.run(t, "assertctl", "register", "--url", as.URL+"/register", "--jwks-uri", "https://keys.example/jwks.json"); err == nil || !strings.Contains(stderr, "initial access token") {
		t.Errorf("without an initial access token: %v, %s", err, stderr)
	}
	if _, stderr, err := d.run(t, "assertctl", "register", "--url", as.URL+"/register", "--out", out); err == nil || !strings.Contains(stderr, "already exists") {
		t.Errorf("over an existing registration: %v, %s", err, stderr)
	}
}
