package config

import (
	"os"
	"strings"
	"testing"
	"time"
)

// TestKubernetesGuide reads the configuration of docs/kubernetes.md, and checks
// what the schedule knows of it: a version is published until the last token
// that it signed has expired.
func TestKubernetesGuide(t *testing.T) {
	page, err := os.ReadFile("../../docs/kubernetes.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := strings.Cut(string(page), "```yaml\nkeys:\n")
	text, _, ended := strings.Cut(rest, "```")
	if !found || !ended {
		t.Fatal("the page has no configuration")
	}
	c, err := Parse("kubernetes.md", []byte("hsm: {module: /m, token: {label: t}, pin: {file: /p}}\naudit: {file: /a}\nkeys:\n"+text), WithAccounts(accounts{}))
	if err != nil {
		t.Fatal(err)
	}
	if r := c.Rotation("cluster"); r.AssertionLife != 24*time.Hour+clockSkew || r.PublishBefore != 7*24*time.Hour {
		t.Errorf("got %+v", r)
	}
	sets, err := c.KeySets(nil)
	if err != nil || len(sets) != 1 || !sets[0].Kubernetes || sets[0].InJWKS() {
		t.Errorf("got %+v, %v", sets, err)
	}
	issuers, err := c.Issuers(nil)
	if got := issuers["/run/assertd/kubernetes/signer.sock"]; err != nil || got.Set != "cluster" || got.URL != "https://id.example.com/clusters/prod" {
		t.Errorf("got %+v, %v", issuers, err)
	}
}
