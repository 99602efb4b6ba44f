package client

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/ipc"
)

// reply answers every request alike.
func reply(status int, kind, body string) func(int, http.ResponseWriter, *http.Request) {
	return func(_ int, w http.ResponseWriter, _ *http.Request) {
		if kind != "" {
			w.Header().Set("Content-Type", kind)
		} else {
			w.Header()["Content-Type"] = nil
		}
		w.WriteHeader(status)
		w.Write([]byte(body))
	}
}

// The bodies are those that the products send.
func TestWhateverATokenEndpointSaysReachesThePerson(t *testing.T) {
	const jsonType = "application/json"
	for _, row := range []struct {
		name       string
		status     int
		kind, body string
		code, says string
	}{
		{"OAuth with status 200", 200, jsonType, `{"error":"bad_verification_code","error_description":"The code passed is incorrect or expired."}`,
			"bad_verification_code", "incorrect or expired"},
		{"Slack", 200, jsonType, `{"ok":false,"error":"invalid_auth"}`, "invalid_auth", ""},
		{"AWS STS, JSON", 400, jsonType, `{"Error":{"Code":"InvalidIdentityToken","Message":"No OpenIDConnect provider found in your account","Type":"Sender"},"RequestId":"r"}`,
			"InvalidIdentityToken", "No OpenIDConnect provider"},
		{"AWS STS, XML", 400, "text/xml", `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>ExpiredTokenException</Code>` +
			`<Message>Token expired: current date/time</Message></Error><RequestId>r</RequestId></ErrorResponse>`, "ExpiredTokenException", "Token expired"},
		{"AWS, XML of S3's kind", 403, "application/xml", `<?xml version="1.0" encoding="UTF-8"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`,
			"AccessDenied", "Access Denied"},
		{"AWS, JSON 1.1", 400, "application/x-amz-json-1.1", `{"__type":"com.amazon.coral.validate#ValidationException","message":"bad role"}`, "ValidationException", "bad role"},
		{"Okta", 400, jsonType, `{"errorCode":"E0000021","errorSummary":"HTTP media type not supported exception.","errorLink":"E0000021","errorId":"x","errorCauses":[{"errorSummary":"second cause"}]}`,
			"E0000021", "media type not supported exception.: second cause"},
		{"Google", 403, jsonType, `{"error":{"code":403,"message":"Permission 'iam.serviceAccounts.getAccessToken' denied","status":"PERMISSION_DENIED","details":[{"@type":"t","reason":"IAM_PERMISSION_DENIED"}]}}`,
			"PERMISSION_DENIED", "getAccessToken"},
		{"Google STS", 400, jsonType, `{"error":"invalid_grant","error_description":"The audience in ID Token does not match"}`, "invalid_grant", "does not match"},
		{"Vault", 400, jsonType, `{"errors":["error validating token: invalid audience (aud) claim"]}`, "", "invalid audience"},
		{"Kubernetes", 401, jsonType, `{"kind":"Status","status":"Failure","message":"Unauthorized here","reason":"Unauthorized","code":401}`, "Unauthorized", "Unauthorized here"},
		{"Salesforce API", 401, jsonType, `[{"message":"Session expired or invalid","errorCode":"INVALID_SESSION_ID"}]`, "INVALID_SESSION_ID", "Session expired"},
		{"Snowflake", 401, jsonType, `{"code":"390144","message":"JWT token is invalid."}`, "390144", "JWT token is invalid"},
		{"Apple", 401, jsonType, `{"errors":[{"status":"401","code":"NOT_AUTHORIZED","title":"Authentication credentials are missing or invalid.","detail":"Provide a properly configured token"}]}`,
			"NOT_AUTHORIZED", "properly configured"},
		{"Apigee", 401, jsonType, `{"fault":{"faultstring":"Invalid ApiKey","detail":{"errorcode":"oauth.v2.InvalidApiKey"}}}`, "oauth.v2.InvalidApiKey", "Invalid ApiKey"},
		{"a problem document", 422, "application/problem+json", `{"type":"about:blank","title":"Unprocessable","status":422,"detail":"iat is in the future"}`, "", "iat is in the future"},
		{"FHIR", 400, "application/fhir+json", `{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"invalid","diagnostics":"jti was used"}]}`, "invalid", "jti was used"},
		{"SOAP", 500, "text/xml", `<s:Envelope xmlns:s="x"><s:Body><s:Fault><faultcode>s:Client</faultcode><faultstring>bad wsse</faultstring></s:Fault></s:Body></s:Envelope>`, "s:Client", "bad wsse"},
		{"a form", 400, "application/x-www-form-urlencoded", `error=incorrect_client_credentials&error_description=The+client_id+is+wrong`, "incorrect_client_credentials", "client_id is wrong"},
		{"no form after all", 400, "application/x-www-form-urlencoded", "a=%zz", "", "instead of JSON"},
		{"plain text", 401, "text/plain", "Jwt verification fails\n", "", "Jwt verification fails"},
		{"text without a media type", 503, "", "busy, come back later\n", "", "busy, come back later"},
		{"half of a token", 200, "", `{"access_token":"se`, "", "no content type instead of JSON"},
		{"a token in a form of its own", 200, "text/plain", "access_token=secret", "", "text/plain instead of JSON"},
		{"half of an error", 400, jsonType, `{"error":"inv`, "", "says that it is application/json, but it is cut off, too long or malformed; is this"},
		{"a page with a title", 200, "text/html; charset=utf-8", "<!DOCTYPE html>\n<html><head><title>\n  Sign in &amp; more </title>", "",
			`a web page (text/html, titled "Sign in & more") instead of JSON; is this the token endpoint's URL?`},
		{"a page without a media type", 404, "", "<html><h1>Not Found</h1>", "", `titled "Not Found"`},
		{"a gateway's page", 500, "text/html", "<html><title>500 Internal</title>", "", `titled "500 Internal"`},
		{"nothing", 404, "", "", "", "the response is empty; is this the token endpoint's URL?"},
		{"JSON of no known form", 400, jsonType, `{"x":1}`, "", "gives no reason"},
		{"success without a token", 200, jsonType, `{"message":"queued"}`, "", "no access_token in the response: queued"},
		{"a BOM", 400, jsonType, "\ufeff" + `{"error":"invalid_client"}`, "invalid_client", ""},
		{"deep nesting", 400, jsonType, strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "", "gives no reason"},
		{"deep XML", 400, "text/xml", strings.Repeat("<a>", 5000), "", "text/xml instead of JSON"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, reply(row.status, row.kind, row.body))
			c, _ := numbered(t, ipc.SendClientAssertion)
			_, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
			var failed *TokenError
			if !errors.As(err, &failed) || failed.Status != row.status {
				t.Fatalf("got %v", err)
			}
			if !strings.HasSuffix(failed.Code, row.code) || row.code == "" && failed.Code != "" || !strings.Contains(err.Error(), row.says) {
				t.Errorf("got code %q, %v\nwant code %q and %q", failed.Code, err, row.code, row.says)
			}
		})
	}
}

// One question is enough: the status and the body lead to the same one.
func TestTheURLIsDoubtedOnce(t *testing.T) {
	for _, row := range []struct{ kind, body, want string }{
		{"text/html", "<html><title>Not Found</title>", `got a web page (text/html, titled "Not Found") instead of JSON; is this the token endpoint's URL?`},
		{"", "", "the response is empty; is this the token endpoint's URL?"},
		{"application/json", "{}", "the response gives no reason; check the URL of the token endpoint"},
	} {
		s := tokenServer(t, reply(404, row.kind, row.body))
		c, _ := numbered(t, ipc.SendClientAssertion)
		_, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
		if want := "token request failed: HTTP 404 Not Found: " + row.want; err == nil || err.Error() != want {
			t.Errorf("got %v\nwant %s", err, want)
		}
	}
}

func TestHTTPIsForLoopback(t *testing.T) {
	for endpoint, works := range map[string]bool{
		"https://as.example": true, "http://localhost:8080/token": true, "http://127.0.0.1": true, "http://127.8.9.10:1": true, "http://[::1]:1": true,
		"http://as.example": false, "http://127.0.0.1.example": false, "http://128.0.0.1": false, "http://[::2]": false, "http://": false,
		"ftp://127.0.0.1": false, "as.example": false,
	} {
		if err := checkEndpoint(endpoint); (err == nil) != works {
			t.Errorf("%s: %v", endpoint, err)
		}
	}
}

func TestReasonInTheChallenge(t *testing.T) {
	s := tokenServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="as", error="invalid_client", error_description="unknown key"`)
		w.WriteHeader(http.StatusUnauthorized)
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	_, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
	if err == nil || !strings.Contains(err.Error(), "invalid_client: unknown key") {
		t.Errorf("got %v", err)
	}
}

// AWS STS returns no access_token, so its errors with status 200 must not pass
// as a success.
func TestWebIdentityErrorIsNoToken(t *testing.T) {
	s := tokenServer(t, reply(200, "application/json", `{"Error":{"Code":"IDPCommunicationError","Message":"try again"}}`))
	c, _ := numbered(t, ipc.SendWebIdentity)
	_, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
	if !errors.Is(err, ErrTokenEndpoint) || !strings.Contains(err.Error(), "IDPCommunicationError: try again") {
		t.Errorf("got %v", err)
	}
}

// MinIO's STS answers in XML, whatever the request accepts.
func TestWebIdentityCredentialsInXML(t *testing.T) {
	const credentials = `<Credentials><AccessKeyId>AKIA</AccessKeyId><SecretAccessKey>s</SecretAccessKey></Credentials>`
	for _, row := range []struct {
		name, body, want string // want is empty for a refusal
	}{
		{"credentials", `<?xml version="1.0" encoding="UTF-8"?>
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>` + credentials +
			`</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`,
			`{"AssumeRoleWithWebIdentityResponse":{"AssumeRoleWithWebIdentityResult":{"Credentials":{"AccessKeyId":"AKIA","SecretAccessKey":"s"}}}}`},
		{"an error", `<ErrorResponse><Error><Code>IDPCommunicationError</Code><Message>try again</Message></Error></ErrorResponse>`, ""},
		{"no result", `<AssumeRoleWithWebIdentityResponse>` + credentials + `</AssumeRoleWithWebIdentityResponse>`, ""},
		{"a page", `<html><title>Sign in</title></html>`, ""},
		{"half a document", `<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials>`, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, reply(200, "text/xml", row.body))
			c, _ := numbered(t, ipc.SendWebIdentity)
			token, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
			if string(token.Raw) != row.want || (err == nil) != (row.want != "") || err != nil && !errors.Is(err, ErrTokenEndpoint) {
				t.Errorf("got %s, %v", token.Raw, err)
			}
		})
	}
}

func TestUnusualTokensAreTokens(t *testing.T) {
	for _, row := range []struct {
		name   string
		status int
		body   string
		scope  string
		left   time.Duration
	}{
		{"status 201", 201, `{"access_token":"a","token_type":"Bearer","expires_in":60,"scope":"r"}`, "r", time.Minute},
		{"a list of scopes", 200, `{"access_token":"a","token_type":"Bearer","expires_in":60,"scope":["r","w"]}`, "r w", time.Minute},
		{"a token type of another kind", 200, `{"access_token":"a","token_type":1,"expires_in":60}`, "", time.Minute},
		{"a BOM", 200, "\ufeff" + `{"access_token":"a","token_type":"Bearer","expires_in":60}`, "", time.Minute},
		{"expires_in as a string", 200, `{"access_token":"a","token_type":"Bearer","expires_in":"60"}`, "", time.Minute},
		{"expires_in and scope of other kinds", 200, `{"access_token":"a","token_type":"Bearer","expires_in":"soon","scope":{}}`, "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := tokenServer(t, reply(row.status, "application/json", row.body))
			c, _ := numbered(t, ipc.SendClientAssertion)
			now := time.Now()
			c.now = func() time.Time { return now }
			token, err := c.Token(t.Context(), TokenRequest{URL: s.URL})
			if err != nil || token.AccessToken != "a" || token.Scope != row.scope || !json.Valid(token.Raw) {
				t.Errorf("got %v, %v, scope %q", token, err, token.Scope)
			}
			if row.left != 0 && !token.Expiry.Equal(now.Add(row.left)) || row.left == 0 && !token.Expiry.IsZero() {
				t.Errorf("expires %v, want in %v", token.Expiry, row.left)
			}
		})
	}
}

func TestRedirectNamesItsTarget(t *testing.T) {
	s := tokenServer(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "https://user:pass@login.example/v2/token?client_assertion=secret#f")
		w.WriteHeader(http.StatusPermanentRedirect)
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	_, tokenErr := c.Token(t.Context(), TokenRequest{URL: s.URL})
	_, registerErr := Register(t.Context(), Registration{URL: s.URL, JWKSURI: "https://k.example"})
	for _, err := range []error{tokenErr, registerErr} {
		if err == nil || !strings.Contains(err.Error(), "308 Permanent Redirect: redirected to https://login.example/v2/token; is this the") {
			t.Errorf("got %v", err)
		}
		if err != nil && (strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "pass@")) {
			t.Errorf("secrets of the target are in %v", err)
		}
	}
}

func TestFollowedRedirectNamesItsTarget(t *testing.T) {
	s := tokenServer(t, func(_ int, w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/login" {
			w.Write([]byte("<html>"))
			return
		}
		http.Redirect(w, r, "/login?next=secret", http.StatusFound)
	})
	c, _ := numbered(t, ipc.SendClientAssertion)
	_, err := c.Token(t.Context(), TokenRequest{URL: s.URL, HTTP: &http.Client{}})
	if err == nil || !strings.Contains(err.Error(), "redirected to "+s.URL+"/login; is this") {
		t.Errorf("got %v", err)
	}
}
