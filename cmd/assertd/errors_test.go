package main

import (
	"io"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
)

// TestExplainSpeaksToAdministrators: the one who runs it is the administrator.
func TestExplainSpeaksToAdministrators(t *testing.T) {
	for _, detail := range []string{
		"Use your own socket, or ask your assertd administrator to run assertd explain.",
		"Ask your assertd administrator to run assertd explain.",
		"You have no grants for assertions. Ask your assertd administrator for one.",
		"Ask your assertd administrator to remove all but one.",
		"Request an assertion, or ask your assertd administrator for a grant.",
		"Ask your assertd administrator to add one.",
	} {
		if got := forAdministrators(detail); strings.Contains(got, "administrator") || got == "" {
			t.Errorf("%s: got %s", detail, got)
		}
	}
}

// TestNaturalGuesses get an answer that says what to do instead.
func TestNaturalGuesses(t *testing.T) {
	for args, want := range map[string]string{
		"key rotate payments": "assertd key generate payments",
		"key rotate":          "assertd key generate KEYSET",
		"key revoke some-kid": "add some-kid to rotation.revoke",
		"profiles github-ap":  "did you mean github-app?",
		"key list --confg x":  "did you mean --config?",
	} {
		var complaint strings.Builder
		code := run(t.Context(), strings.Fields(args), strings.NewReader(""), io.Discard, &complaint)
		if code != exitUsage || !strings.Contains(complaint.String(), want) {
			t.Errorf("%s: exit code %d, %s", args, code, &complaint)
		}
	}
	for _, args := range []string{"version", "--version"} {
		var shown strings.Builder
		if code := run(t.Context(), []string{args}, strings.NewReader(""), &shown, io.Discard); code != 0 || !strings.Contains(shown.String(), version) {
			t.Errorf("%s: exit code %d, %s", args, code, &shown)
		}
	}
}

// TestRegistrationFitsTheKey: a raw key has no JWK for receivers, and a key
// whose grant needs a certificate needs that first.
func TestRegistrationFitsTheKey(t *testing.T) {
	k := keyTool{path: "/etc/it's.yaml", config: &config.Config{Keys: map[string]config.KeySet{"raw": {Use: config.UseRaw}, "jwt": {Use: config.UseAssertion}}}}
	certified := keyadmin.Key{Set: "jwt"}
	certified.Uncertified = true
	for _, test := range []struct {
		key        keyadmin.Key
		want, lack string
	}{
		{keyadmin.Key{Set: "raw", PlannedVersion: planned("a")}, "assertd key show a --pem", "--jwk"},
		{keyadmin.Key{Set: "jwt", PlannedVersion: planned("-a")}, "assertd key show kid:-a --jwk", "--pem"},
		{certified, "assertd key csr ", "--jwk"},
	} {
		got := k.registration(test.key)
		if !strings.Contains(got, test.want) || strings.Contains(got, test.lack) || !strings.Contains(got, ` --config '/etc/it'\''s.yaml'`) {
			t.Errorf("got %s, want %s", got, test.want)
		}
	}
}

func planned(kid string) (v keyset.PlannedVersion) {
	v.Kid = kid
	return v
}

// TestPINFlags replace the PIN of a configuration's only token.
func TestPINFlags(t *testing.T) {
	one := &config.Config{}
	one.HSM.PIN.Credential = "pin"
	if err := (&pinFlags{file: "pin"}).apply(one); err != nil || one.HSM.PIN.Credential != "" || !strings.HasSuffix(one.HSM.PIN.File, "/cmd/assertd/pin") {
		t.Errorf("%+v, %v", one.HSM.PIN, err)
	}
	if err := (&pinFlags{file: "pin", prompt: true}).apply(one); err != nil || !one.HSM.PIN.Prompt || one.HSM.PIN.File != "" {
		t.Errorf("%+v, %v", one.HSM.PIN, err)
	}
	two := &config.Config{HSM: config.HSM{Tokens: make([]config.NamedToken, 2)}}
	if err := (&pinFlags{prompt: true}).apply(two); err == nil || !strings.Contains(err.Error(), "the configuration has 2") {
		t.Error(err)
	}
	if err := (&pinFlags{}).apply(two); err != nil {
		t.Error(err)
	}
}
