package main

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCACert(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusCreated)
		w.Write([]byte(`{"client_id":"c"}`))
	}))
	defer server.Close()
	dir := t.TempDir()
	ca, empty := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "empty.pem")
	for file, text := range map[string][]byte{ca: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), empty: nil} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	register := []string{"register", "--url", server.URL, "--jwks-uri", "https://k.example"}
	for _, row := range []struct {
		args []string
		code int
		says string
	}{
		{register, exitFailure, "name it with --cacert"},
		{append(register, "--cacert", ca), 0, ""},
		{append(register, "--cacert", empty), exitUsage, "contains no PEM certificate"},
		{[]string{"token", "--cacert", filepath.Join(dir, "none")}, exitUsage, "--cacert"},
		{[]string{"call", server.URL, "--cacert", empty}, exitUsage, "contains no PEM certificate"},
	} {
		if code, _, stderr := tool(t, row.args...); code != row.code || !strings.Contains(stderr, row.says) {
			t.Errorf("%q: exit code %d, %s", row.args, code, stderr)
		}
	}
}
