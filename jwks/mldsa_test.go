package jwks

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"filippo.io/mldsa"
)

// TestMLDSAKeys takes each kind of ML-DSA key to a JWK set and back (RFC 9964:
// kty AKP, alg and pub), and compares its kid with one that encoding/json made.
func TestMLDSAKeys(t *testing.T) {
	for _, parameters := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		alg := parameters.String()
		t.Run(alg, func(t *testing.T) {
			private, err := mldsa.GenerateKey(parameters)
			if err != nil {
				t.Fatal(err)
			}
			key := namedKey(t, alg, private.Public())
			required, err := json.Marshal(map[string]string{ // sorts the members
				"kty": "AKP", "alg": alg, "pub": b64.EncodeToString(private.PublicKey().Bytes()),
			})
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(required); key.Kid != b64.EncodeToString(sum[:]) {
				t.Errorf("the kid is %s", key.Kid)
			}
			document := string(mustSet(t, key).JSON())
			if back, found := mustParse(t, document).Lookup(key.Kid); !found || !private.PublicKey().Equal(back.Public) || back.Alg != alg {
				t.Errorf("%+v in %s", back, document)
			}
			other := "ML-DSA-44"
			if alg == other {
				other = "ML-DSA-87"
			}
			if _, err := ParseSet([]byte(strings.Replace(document, alg, other, 1))); !errors.Is(err, ErrUnsupportedKey) {
				t.Errorf("a key under another algorithm: %v", err)
			}
			if _, err := Thumbprint(private); !errors.Is(err, ErrPrivateKey) {
				t.Errorf("a private key: %v", err)
			}
		})
	}
}
