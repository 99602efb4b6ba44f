package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// tool runs assertctl in the test's process.
func tool(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, complaint bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &out, &complaint)
	return code, out.String(), complaint.String()
}

func TestCommandLineErrors(t *testing.T) {
	dir := t.TempDir()
	for _, args := range [][]string{
		{"assert", "--lifetime", "1500ms"},
		{"assert", "--lifetime", "-1s"},
		{"assert", "--claim", "scope"},
		{"assert", "--claim", "=read"},
		{"assert", "--claim", "a=1", "--claim", "a=2"},
		{"assert", "--decode", "--output", "json"},
		{"assert", "extra"},
		{"grants", "--output", "xml"},
		{"token", "--param", "noequals"},
		{"token", "--client-auth-audience", "https://as.example"},
		{"token", "--param", "secret=@" + filepath.Join(dir, "none")},
		{"call"},
		{"call", "http://api.example/"},
		{"call", "https://api.example/", "--body", filepath.Join(dir, "none")},
		{"sign"},
		{"sign", "--key", "k", "--hash", "SHA-1"},
		{"sign", "--key", "k", "--padding", "oaep"},
		{"sign", "--key", "k", "--format", "pem"},
		{"sign", "--key", "k", "--digest", "00", "file"},
		{"keep"},
		{"exec-credential", "--format", "aws"},
		{"bench", "--workers", "0"},
		{"bench", "--duration", "0s"},
		{"register"},
		{"register", "--url", "https://as.example/r", "--out", dir},
		{"register", "--url", "https://as.example/r", "--kid", "k", "--jwks-uri", "https://k.example"},
		{"register", "--url", "https://as.example/r", "--metadata", filepath.Join(dir, "none")},
		{"--no-such-flag"},
		{"no-such-command"},
	} {
		if code, _, stderr := tool(t, args...); code != exitUsage || !strings.Contains(stderr, "--help") {
			t.Errorf("%q: exit code %d, %s", args, code, stderr)
		}
	}
}

func TestEveryCommandHasHelp(t *testing.T) {
	for _, cmd := range rootCommand().Commands() {
		code, stdout, stderr := tool(t, cmd.Name(), "--help")
		if code != 0 || stderr != "" || !strings.Contains(stdout, "Usage:") {
			t.Errorf("%s --help: exit code %d, %s", cmd.Name(), code, stderr)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, row := range []struct {
		err  error
		want int
	}{
		{nil, 0},
		{errors.New("anything"), exitFailure},
		{fmt.Errorf("token: %w", client.ErrTokenEndpoint), exitFailure},
		{cli.UsageError(rootCommand(), errors.New("no")), exitUsage},
		{ipc.NewProblem(ipc.CodeAudienceNotAllowed, ""), exitDenied},
		{ipc.NewProblem(ipc.CodeMalformedRequest, ""), exitDenied},
		{ipc.NewProblem(ipc.CodeRateLimited, ""), exitRateLimited},
		{fmt.Errorf("DPoP: %w", ipc.NewProblem(ipc.CodeInFlightLimit, "")), exitRateLimited},
		{ipc.NewProblem(ipc.CodeHSMUnavailable, ""), exitUnavailable},
		{ipc.NewProblem(ipc.CodeInternal, ""), exitUnavailable},
		{fmt.Errorf("%w at /run", client.ErrUnavailable), exitUnavailable},
		{ipc.NewProblem(ipc.CodeReloadRefused, ""), exitFailure},
		{fmt.Errorf("%w: %w", client.ErrVersion, ipc.NewProblem(ipc.CodeNotFound, "")), exitFailure},
		{context.Canceled, exitFailure},
	} {
		if got := exitCode(row.err); got != row.want {
			t.Errorf("%v: %d, want %d", row.err, got, row.want)
		}
	}
}

func TestParametersFromFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	values, err := parameters([]string{"client_secret=@" + file, "a=1", "a=2", "empty=", "handle=@@me", "at=@@"})
	if err != nil || values.Encode() != "a=1&a=2&at=%40&client_secret=s3cret&empty=&handle=%40me" {
		t.Errorf("got %s, %v", values.Encode(), err)
	}
}

func TestSigningKeyMustBeUnique(t *testing.T) {
	grants := []ipc.GrantInfo{
		{Name: "a", Use: ipc.UseAssertion, Kid: "1"}, {Name: "b", Use: ipc.UseAssertion, Kid: "2"},
		{Name: "c", Use: ipc.UseAssertion, Kid: "2"}, {Name: "raw", Use: ipc.UseRaw, Kid: "3"},
	}
	for _, row := range []struct {
		grants []ipc.GrantInfo
		name   string
		want   string
	}{{grants, "b", "2"}, {grants[1:], "", "2"}, {grants, "", ""}, {grants, "raw", ""}, {nil, "", ""}} {
		if got, err := signingKey(row.grants, row.name); got != row.want || (err == nil) != (row.want != "") {
			t.Errorf("%q of %d: %q, %v", row.name, len(row.grants), got, err)
		}
	}
}

func TestStoredResponseReplacesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "client.json")
	file, err := createNew(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.save([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 3 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if _, err := createNew(path); err == nil {
		t.Error("replaced an existing file")
	}
}

func TestSignRejectsFlagsThatDoNotApply(t *testing.T) {
	edwards := make(ed25519.PublicKey, ed25519.PublicKeySize)
	for _, row := range []struct {
		flags  signFlags
		public crypto.PublicKey
		fits   bool
	}{
		{signFlags{padding: ipc.PaddingPSS, hash: ipc.HashSHA256}, &rsa.PublicKey{}, true},
		{signFlags{hash: ipc.HashSHA256}, &ecdsa.PublicKey{}, true},
		{signFlags{padding: ipc.PaddingPSS}, &ecdsa.PublicKey{}, false},
		{signFlags{}, edwards, true},
		{signFlags{hash: ipc.HashSHA512}, edwards, false},
		{signFlags{padding: ipc.PaddingPKCS1v15}, edwards, false},
	} {
		if err := row.flags.checkKey(row.public); (err == nil) != row.fits {
			t.Errorf("%+v for a %T: %v", row.flags, row.public, err)
		}
	}
}

// A response that can't be stored must not be requested, and a refusal leaves
// no file behind.
func TestRegisterCreatesItsFileFirst(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusForbidden)
		w.Write([]byte("{}"))
	}))
	defer server.Close()
	dir := t.TempDir()
	register := func(out string) int {
		code, _, _ := tool(t, "register", "--url", server.URL, "--jwks-uri", "https://k.example", "--out", out)
		return code
	}
	if code := register(filepath.Join(dir, "none", "client.json")); code != exitUsage || asked.Load() != 0 {
		t.Errorf("no such directory: exit code %d, %d requests", code, asked.Load())
	}
	if code := register(filepath.Join(dir, "client.json")); code != exitFailure || asked.Load() != 1 {
		t.Errorf("refused: exit code %d, %d requests", code, asked.Load())
	}
	if code, _, stderr := tool(t, "register", "--url", server.URL, "--jwks-uri", "https://k.example", "--initial-token-file", os.DevNull); code != exitFailure || asked.Load() != 1 {
		t.Errorf("an empty token: exit code %d, %s, %d requests", code, stderr, asked.Load())
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left %v, %v", left, err)
	}
}

// Run returns only once no process holds the output, which is a pipe here.
func TestKeepKillsChildrenOfItsCommand(t *testing.T) {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := shell(ctx, "sleep 300; true", &out).Run()
	if err == nil || errors.Is(err, exec.ErrWaitDelay) {
		t.Errorf("ended with %v", err)
	}
}

func TestCallNamesTheTargetOfARedirect(t *testing.T) {
	api := httptest.NewServer(http.RedirectHandler("https://api.example/v2", http.StatusMovedPermanently))
	defer api.Close()
	cmd := rootCommand()
	cmd.SetOut(io.Discard)
	cmd.SetContext(t.Context())
	err := callFlags{method: http.MethodGet}.send(cmd, http.DefaultTransport, api.URL)
	if err == nil || !strings.Contains(err.Error(), "301 Moved Permanently, a redirect to https://api.example/v2") {
		t.Errorf("got %v", err)
	}
}
