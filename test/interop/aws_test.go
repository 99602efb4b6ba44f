package interop

import (
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

const role = "arn:aws:iam::123456789012:role/payments"

// startSTS serves AssumeRoleWithWebIdentity for a role that trusts the
// federation. It verifies the token, and answers in XML as AWS does.
func startSTS(t *testing.T, f *federation) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/xml")
		if r.FormValue("Action") != "AssumeRoleWithWebIdentity" || r.FormValue("Version") != "2011-06-15" || r.FormValue("RoleArn") != role {
			refuseSTS(w, "ValidationError", fmt.Sprintf("the request is %s for %s", r.FormValue("Action"), r.FormValue("RoleArn")))
			return
		}
		token, err := f.verify(r.Context(), r.FormValue("WebIdentityToken"), awsAudience)
		if err != nil {
			refuseSTS(w, "InvalidIdentityToken", err.Error())
			return
		}
		fmt.Fprintf(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
  <AssumeRoleWithWebIdentityResult>
    <SubjectFromWebIdentityToken>%s</SubjectFromWebIdentityToken>
    <Audience>%s</Audience>
    <AssumedRoleUser><Arn>arn:aws:sts::123456789012:assumed-role/payments/%s</Arn><AssumedRoleId>AROA:api</AssumedRoleId></AssumedRoleUser>
    <Credentials>
      <AccessKeyId>ASIAOFATEST</AccessKeyId><SecretAccessKey>secret of a test</SecretAccessKey>
      <SessionToken>session of a test</SessionToken><Expiration>%s</Expiration>
    </Credentials>
  </AssumeRoleWithWebIdentityResult>
  <ResponseMetadata><RequestId>r</RequestId></ResponseMetadata>
</AssumeRoleWithWebIdentityResponse>`, token.Subject, awsAudience, r.FormValue("RoleSessionName"), time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	}))
	t.Cleanup(server.Close)
	return server
}

func refuseSTS(w http.ResponseWriter, code, message string) {
	w.WriteHeader(http.StatusBadRequest)
	_, _ = io.WriteString(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>`+code+`</Code><Message>`)
	_ = xml.EscapeText(w, []byte(message))
	_, _ = io.WriteString(w, `</Message></Error><RequestId>r</RequestId></ErrorResponse>`)
}

// TestAWSSDKForGo assumes a role with the token in a file that assertctl keep
// writes.
func TestAWSSDKForGo(t *testing.T) {
	f := startFederation(t)
	server := startSTS(t, f)
	retrieve := func(grant string) (aws.Credentials, error) {
		file := filepath.Join(t.TempDir(), "token")
		if _, stderr, code := f.assertctl(t, "keep", "--once", "--grant", grant, "--file", file); code != 0 {
			t.Fatalf("assertctl keep: %s", stderr)
		}
		client := sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &server.URL, RetryMaxAttempts: 1})
		return stscreds.NewWebIdentityRoleProvider(client, role, stscreds.IdentityTokenFile(file)).Retrieve(t.Context())
	}
	if got, err := retrieve("aws"); err != nil || got.AccessKeyID != "ASIAOFATEST" || got.SessionToken != "session of a test" {
		t.Errorf("got %v, %v", got.AccessKeyID, err)
	}
	if _, err := retrieve("stranger"); err == nil || !strings.Contains(err.Error(), "InvalidIdentityToken") {
		t.Errorf("another audience: %v", err)
	}
}
