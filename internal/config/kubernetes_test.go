package config

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/jwks"
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

// A key that two files of also_publish have is refused at the start. The JWK
// set would be refused later, and kube-apiserver would get no keys at all.
func TestStaticKeyInTwoFiles(t *testing.T) {
	files := map[string][]jwks.Key{"/both.pub": {{Kid: "before"}, {Kid: "now"}}, "/sa.pub": {{Kid: "now"}}, "/other.pub": {{Kid: "other"}}}
	read := func(_ trustpath.Rules, path string) ([]jwks.Key, error) { return files[path], nil }
	for second, want := range map[string]string{
		"/other.pub": "",
		"/sa.pub": "listen[0].kubernetes.also_publish[1].file: public keys refused: listen[0].kubernetes.also_publish[0].file has the key now too; " +
			"leave it in one of the files",
	} {
		c := &Config{Listen: []Listener{{Socket: "/run/k.sock", Kubernetes: &Kubernetes{
			Key: "sa", AlsoPublish: []StaticKey{{File: "/both.pub", Until: "2027-01-31T12:00:00Z"}, {File: second, Until: "2027-02-28T12:00:00Z"}},
		}}}}
		issuers, err := c.Issuers(read)
		switch {
		case want == "" && (err != nil || len(issuers["/run/k.sock"].Static) != 3):
			t.Errorf("%s: got %+v, %v", second, issuers, err)
		case want != "" && (!errors.Is(err, keyset.ErrPublicKeys) || err.Error() != want):
			t.Errorf("%s: got %v, want %s", second, err, want)
		}
	}
}

// A wrong year in until would end every token from before the switch, and
// nothing else shows that it has passed.
func TestStaticKeyThatHasEnded(t *testing.T) {
	c := &Config{Listen: []Listener{{Kubernetes: &Kubernetes{Issuer: "https://id.example.com/k", AlsoPublish: []StaticKey{{File: "/sa.pub", Until: "2027-01-31T12:00:00Z"}}}}}}
	end := time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC)
	for now, want := range map[time.Time]int{end.Add(-time.Second): 0, end: 1} {
		notes := c.Notes(now)
		if len(notes) != want || want == 1 && (!strings.Contains(notes[0], "/sa.pub") || !strings.Contains(notes[0], "2027-01-31T12:00:00Z")) {
			t.Errorf("at %s: %q", now, notes)
		}
	}
}
