package jwks

import (
	"net/http"
	"strings"
	"testing"
)

// TestIssuersAreApart checks that an issuer's documents have its keys and no
// others, and that one without a path takes no other's place.
func TestIssuersAreApart(t *testing.T) {
	p, _ := newPublisher(t, "https://id.example.com")
	_, assertions := newKey(t)
	_, cluster := newKey(t)
	const issuer, pathless = "https://k8s.example/clusters/prod", "https://kubernetes.default.svc.cluster.local"
	update(t, p, Content{Set: mustSet(t, assertions), Issuers: map[string]Set{issuer: mustSet(t, cluster), pathless: mustSet(t, cluster)}})
	for path, want := range map[string]string{
		SetPath:                          assertions.Kid,
		"/clusters/prod" + SetPath:       cluster.Kid,
		"/clusters/prod" + DiscoveryPath: `"issuer":"` + issuer + `","jwks_uri":"` + issuer + SetPath + `"`,
		DiscoveryPath:                    `"issuer":"https://id.example.com"`,
		"/clusters/prod/.well-known/jwks/one.json": "not found",
	} {
		response := ask(p, http.MethodGet, path)
		text := content(t, response)
		if !strings.Contains(text, want) || strings.Contains(text, assertions.Kid) && strings.Contains(text, cluster.Kid) {
			t.Errorf("%s: got %d %s, want %s", path, response.StatusCode, text, want)
		}
	}
}
