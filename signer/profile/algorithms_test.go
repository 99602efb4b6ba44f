package profile

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestAlgorithmNote(t *testing.T) {
	for _, row := range []struct{ profile, alg, says string }{
		{"private_key_jwt", "Ed25519", "go-jose 4.1"}, {"fapi2", "Ed25519", "use alg: EdDSA"}, {"custom", "Ed25519", "go-oidc 3.21"},
		{"custom", "EdDSA", "kube-apiserver"},
		{"private_key_jwt", "EdDSA", ""}, {"private_key_jwt", "ES256", ""}, {"oidc-provider", "Ed25519", ""},
		{"keycloak", "EdDSA", ""}, {"openbao-jwt", "EdDSA", ""}, {"unknown", "Ed25519", ""}, {"", "", ""},
	} {
		if note := AlgorithmNote(row.profile, row.alg); (note == "") != (row.says == "") || !strings.Contains(note, row.says) {
			t.Errorf("%s with %s: %q", row.profile, row.alg, note)
		}
	}
}

// If this fails, the library has learned the name, and the note is out of date.
func TestGoJoseRefusesTheNewNameOfEdDSA(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	for alg, takes := range map[string]bool{"EdDSA": true, "Ed25519": false} {
		signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"`+alg+`"}`)) + ".e30"
		token := signed + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, []byte(signed)))
		parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err == nil {
			_, err = parsed.Verify(public)
		}
		if (err == nil) != takes {
			t.Errorf("%s: %v", alg, err)
		}
	}
}
