package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"reflect"
	"strings"
	"sync"
	"testing"

	"filippo.io/mldsa"

	"github.com/go-jose/go-jose/v4"
)

// softwareKeys generates one key for each kind of algorithm.
var softwareKeys = sync.OnceValues(func() (map[string]crypto.Signer, error) {
	keys := map[string]crypto.Signer{}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			return nil, err
		}
		keys[alg] = key
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"} {
		keys[alg] = key
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	keys["EdDSA"], keys["Ed25519"] = edwards, edwards
	for _, parameters := range []mldsa.Parameters{mldsa.MLDSA44(), mldsa.MLDSA65(), mldsa.MLDSA87()} {
		if keys[parameters.String()], err = mldsa.GenerateKey(parameters); err != nil {
			return nil, err
		}
	}
	return keys, err
})

func softwareKey(t *testing.T, alg string) crypto.Signer {
	t.Helper()
	keys, err := softwareKeys()
	if err != nil {
		t.Fatal(err)
	}
	return keys[alg]
}

func selfSigned(t *testing.T, key crypto.Signer) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: moment.AddDate(-1, 0, 0), NotAfter: moment.AddDate(1, 0, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestSignAndVerify signs every profile with each of its algorithms, and reads
// the result with go-jose.
func TestSignAndVerify(t *testing.T) {
	for _, p := range All() {
		for _, alg := range p.Algorithms {
			t.Run(p.Name+"/"+alg, func(t *testing.T) {
				key := softwareKey(t, alg)
				in := exampleInput(t, p)
				in.Alg, in.Public, in.Random = alg, key.Public(), rand.Reader
				if p.NeedsCertificate() {
					in.Certificates = []*x509.Certificate{selfSigned(t, key)}
				}
				token, err := p.Build(in)
				if err != nil {
					t.Fatal(err)
				}
				header, claims := verify(t, sign(t, in, token, key), alg, key.Public())
				same(t, "claims", claims, token.Claims)
				token.Header["alg"], token.Header["kid"] = alg, in.Kid
				same(t, "header", header, token.Header)
			})
		}
	}
}

func encode(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func sign(t *testing.T, in Input, token Token, key crypto.Signer) string {
	t.Helper()
	if unknown(in.Alg) {
		header := map[string]any{"alg": in.Alg, "kid": in.Kid}
		for name, value := range token.Header {
			header[name] = value
		}
		input := encode(t, header) + "." + encode(t, token.Claims)
		signature, err := key.Sign(nil, []byte(input), crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	options := &jose.SignerOptions{}
	for name, value := range token.Header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{
		Algorithm: jose.SignatureAlgorithm(in.Alg), Key: jose.JSONWebKey{Key: key, KeyID: in.Kid}}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(token.Claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

// unknown reports whether go-jose lacks an algorithm: the names of RFC 9864 and
// RFC 9964.
func unknown(alg string) bool { return alg == "Ed25519" || strings.HasPrefix(alg, "ML-DSA-") }

// valid verifies a signature over a message.
func valid(public crypto.PublicKey, message, signature []byte) bool {
	if key, ok := public.(*mldsa.PublicKey); ok {
		return mldsa.Verify(key, message, signature, nil) == nil
	}
	return ed25519.Verify(public.(ed25519.PublicKey), message, signature)
}

// verify checks the signature and returns the decoded header and claims.
func verify(t *testing.T, compact, alg string, public crypto.PublicKey) (header, claims map[string]any) {
	t.Helper()
	parts := strings.Split(compact, ".")
	if unknown(alg) {
		signature, err := base64.RawURLEncoding.DecodeString(parts[2])
		if err != nil || !valid(public, []byte(parts[0]+"."+parts[1]), signature) {
			t.Fatal("the signature is not valid")
		}
	} else {
		signed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signed.Verify(public); err != nil {
			t.Fatal(err)
		}
	}
	for i, into := range []*map[string]any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			t.Fatal(err)
		}
	}
	return header, claims
}

// same compares decoded JSON with what was built.
func same(t *testing.T, what string, got, built map[string]any) {
	t.Helper()
	text, err := json.Marshal(built)
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := json.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s are %v, want %v", what, got, want)
	}
}

// The JWK in a header must be one that go-jose can read, and the key that
// signed.
func TestEmbeddedJWK(t *testing.T) {
	for _, alg := range []string{"ES256", "ES384", "ES512", "RS256", "EdDSA"} {
		for _, public := range []crypto.PublicKey{softwareKey(t, alg).Public(), fixedPublic(t, alg)} {
			members, err := publicJWK(public)
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(members)
			if err != nil {
				t.Fatal(err)
			}
			var key jose.JSONWebKey
			if err := key.UnmarshalJSON(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			if !key.IsPublic() || !key.Key.(interface{ Equal(crypto.PublicKey) bool }).Equal(public) {
				t.Errorf("%s is a different key", text)
			}
		}
	}
}
