package interop

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// TestMLDSA has npm's jose verify signatures by ML-DSA keys with the JWKs that
// the daemon publishes (RFC 9964). The keys are software keys: SoftHSM makes
// none. make hsm-test verifies the daemon's assertions with keys on a token.
func TestMLDSA(t *testing.T) {
	for _, parameters := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		t.Run(parameters.String(), func(t *testing.T) {
			key, err := mldsa.GenerateKey(parameters)
			if err != nil {
				t.Fatal(err)
			}
			kid, err := jwks.Thumbprint(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			answer := verifiedByNode(t, map[string]any{
				"jwk": published(t, jwks.Key{Kid: kid, Alg: parameters.String(), Public: key.Public()}),
				"jws": signedJWS(t, key, kid, `{"iss":"c1"}`), "spoiled": spoil(signedJWS(t, key, kid, `{"iss":"c2"}`)),
			})
			if answer.Kid != kid || !answer.Refused {
				t.Errorf("kid %s, want %s; spoiled signature refused: %v", answer.Kid, kid, answer.Refused)
			}
		})
	}
}

// published is the key's JWK as the JWKS has it.
func published(t *testing.T, key jwks.Key) json.RawMessage {
	t.Helper()
	set, err := jwks.NewSet([]jwks.Key{key})
	if err != nil {
		t.Fatal(err)
	}
	var document struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(set.JSON(), &document); err != nil || len(document.Keys) != 1 {
		t.Fatalf("%v in %s", err, set.JSON())
	}
	return document.Keys[0]
}

func signedJWS(t *testing.T, key crypto.Signer, kid, claims string) string {
	t.Helper()
	alg := jose.NamesFor(jose.KindOf(key.Public()))[0]
	encode := base64.RawURLEncoding.EncodeToString
	input := encode([]byte(asJSON(t, map[string]any{"alg": alg, "kid": kid}))) + "." + encode([]byte(claims))
	signature, err := key.Sign(nil, []byte(input), crypto.Hash(0))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + encode(signature)
}

// spoil changes the claims of a JWS.
func spoil(jws string) string {
	parts := strings.Split(jws, ".")
	parts[1] = base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"c3"}`))
	return strings.Join(parts, ".")
}

type nodeVerdict struct {
	Kid     string
	Refused bool
}

func verifiedByNode(t *testing.T, input map[string]any) (answer nodeVerdict) {
	t.Helper()
	command := exec.CommandContext(t.Context(), nodeProgram(t), "node/mldsa.mjs")
	command.Stdin = strings.NewReader(asJSON(t, input))
	var notes strings.Builder
	command.Stderr = &notes
	out, err := command.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, notes.String())
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("node printed %q: %v", out, err)
	}
	return answer
}
