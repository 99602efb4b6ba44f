package interop

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// tokenFile is a file that assertctl keep has written.
func (d *daemon) tokenFile(t *testing.T, grant string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if _, stderr, code := d.assertctl(t, "keep", "--once", "--grant", grant, "--file", file); code != 0 {
		t.Fatalf("assertctl keep: %s", stderr)
	}
	return file
}

// TestAWSSDKs assumes a role with AWS's SDKs for Go and JavaScript, which read
// the token from a file, and with assertctl token and our own packages.
func TestAWSSDKs(t *testing.T) {
	f := startFederation(t)
	server := startSTS(t, f)
	for name, assume := range map[string]func(*testing.T, string, string) (string, error){"Go": assumeByGo, "JavaScript": assumeByNode} {
		t.Run(name, func(t *testing.T) {
			if id, err := assume(t, server.URL, f.tokenFile(t, "aws")); err != nil || id != "ASIAOFATEST" {
				t.Errorf("got %q, %v", id, err)
			}
			if _, err := assume(t, server.URL, f.tokenFile(t, "stranger")); err == nil || !strings.Contains(err.Error(), "InvalidIdentityToken") {
				t.Errorf("another audience: %v", err)
			}
		})
	}
	stdout, stderr, code := f.assertctl(t, "token", "--grant", "aws", "--url", server.URL, "--param", "RoleArn="+role, "--param", "RoleSessionName=api")
	if code != 0 || !strings.Contains(stdout, `"AccessKeyId":"ASIAOFATEST"`) {
		t.Errorf("assertctl token: %s%s", stdout, stderr)
	}
	for name, command := range map[string][]string{
		"Python": {debianPython, "python/assume.py", server.URL, role}, "Node": {nodeProgram(t), "node/assume.mjs", server.URL, role},
	} {
		assume := exec.CommandContext(t.Context(), command[0], command[1:]...)
		assume.Env = append(os.Environ(), "ASSERTD_SOCKET="+f.socket, "PYTHONPATH="+filepath.Join(root, "sdk/python/src"), "PYTHONDONTWRITEBYTECODE=1")
		if out, err := assume.CombinedOutput(); err != nil || string(out) != "ASIAOFATEST\n" {
			t.Errorf("our package for %s: %s, %v", name, out, err)
		}
	}
}

func assumeByGo(t *testing.T, endpoint, file string) (accessKeyID string, err error) {
	client := sts.New(sts.Options{Region: "eu-central-1", BaseEndpoint: &endpoint, RetryMaxAttempts: 1})
	got, err := stscreds.NewWebIdentityRoleProvider(client, role, stscreds.IdentityTokenFile(file)).Retrieve(t.Context())
	if err == nil && got.SessionToken != "session of a test" {
		err = errors.New("the session token is wrong")
	}
	return got.AccessKeyID, err
}

func assumeByNode(t *testing.T, endpoint, file string) (accessKeyID string, err error) {
	return runCloud(t, []string{"AWS_ENDPOINT_URL_STS=" + endpoint, "AWS_WEB_IDENTITY_TOKEN_FILE=" + file, "AWS_ROLE_ARN=" + role,
		"AWS_REGION=eu-central-1"}, "aws")
}

// runCloud runs node/clouds.mjs.
func runCloud(t *testing.T, env []string, args ...string) (string, error) {
	t.Helper()
	command := exec.CommandContext(t.Context(), nodeProgram(t), append([]string{"node/clouds.mjs"}, args...)...)
	command.Env = append(os.Environ(), env...)
	out, err := command.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = errors.New(string(exit.Stderr))
	}
	return strings.TrimSpace(string(out)), err
}
