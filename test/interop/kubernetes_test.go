package interop

import (
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	clientcmd "k8s.io/client-go/tools/clientcmd/api"
)

// TestKubernetesExecPlugin calls an API server with client-go, which runs
// assertctl exec-credential as kubectl does. The server verifies the token as
// kube-apiserver's JWT authenticator does: with the issuer's discovery
// document.
func TestKubernetesExecPlugin(t *testing.T) {
	f := startFederation(t)
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		verified, err := f.verify(r.Context(), token, clusterAudience)
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, verified.Subject)
	}))
	t.Cleanup(server.Close)
	for _, test := range []struct {
		version, grant string
		want           int
	}{
		{"client.authentication.k8s.io/v1", "cluster", http.StatusOK},
		{"client.authentication.k8s.io/v1beta1", "cluster", http.StatusOK},
		{"client.authentication.k8s.io/v1", "stranger", http.StatusUnauthorized},
	} {
		status, body := callCluster(t, f, server, test.version, test.grant)
		if status != test.want || status == http.StatusOK && body != payments {
			t.Errorf("%s, grant %s: HTTP %d: %s", test.version, test.grant, status, body)
		}
	}
}

func callCluster(t *testing.T, f *federation, server *httptest.Server, version, grant string) (status int, body string) {
	t.Helper()
	client, err := rest.HTTPClientFor(&rest.Config{
		Host:            server.URL,
		TLSClientConfig: rest.TLSClientConfig{CAData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})},
		ExecProvider: &clientcmd.ExecConfig{
			APIVersion: version, Command: binary(t, "assertctl"), InteractiveMode: clientcmd.NeverExecInteractiveMode,
			Args: []string{"--socket", f.socket, "exec-credential", "--format", "kubernetes", "--grant", grant},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}
