package jwks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const (
	goodEC  = `{"kty":"EC","crv":"P-256","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA"%s}`
	goodRSA = `{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`
	goodOKP = `{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"%s}`
)

func keySet(keys ...string) string { return `{"keys":[` + strings.Join(keys, ",") + `]}` }

func TestParseSetTakes(t *testing.T) {
	for _, test := range []struct {
		name, document string
		keys, foreign  int
	}{
		{"no kid, use or alg", keySet(fmt.Sprintf(goodEC, "")), 1, 0},
		{"unknown members", `{"keys":[` + fmt.Sprintf(goodEC, `,"key_ops":["verify"],"exp":12,"x5u":null`) + `],"more":{"a":[1]}}`, 1, 0},
		{"two keys without kid", keySet(fmt.Sprintf(goodEC, ""), fmt.Sprintf(goodOKP, "")), 2, 0},
		{"an encryption key", keySet(fmt.Sprintf(goodEC, `,"use":"enc"`)), 0, 1},
		{"an encryption algorithm", keySet(fmt.Sprintf(goodEC, `,"alg":"ECDH-ES"`)), 0, 1},
		{"another curve", keySet(`{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}`, fmt.Sprintf(goodEC, "")), 1, 1},
		{"another type", keySet(`{"kty":"AKP","alg":"SLH-DSA-SHA2-128s","pub":"AA"}`), 0, 1},
		{"white space", " {\n\"keys\" : [ ] }\n", 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			set, err := ParseSet([]byte(test.document))
			if err != nil || set.Len() != test.keys || set.foreign != test.foreign {
				t.Errorf("%d keys, %d foreign, %v", set.Len(), set.foreign, err)
			}
		})
	}
}

func TestParseSetRefuses(t *testing.T) {
	x := "l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs"
	ec := func(x, y string) string {
		return keySet(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":%q,"y":%q}`, x, y))
	}
	for _, test := range []struct {
		name, document string
		want           error
	}{
		{"nothing", "", ErrFormat},
		{"null", "null", ErrFormat},
		{"a list", "[]", ErrFormat},
		{"no keys", "{}", ErrFormat},
		{"keys null", `{"keys":null}`, ErrFormat},
		{"keys in capitals", `{"KEYS":[]}`, ErrFormat},
		{"a key that is a string", `{"keys":["x"]}`, ErrFormat},
		{"half a document", `{"keys":[`, ErrFormat},
		{"something after the end", `{"keys":[]}{}`, ErrFormat},
		{"keys twice", `{"keys":[],"keys":[]}`, ErrFormat},
		{"a member twice", keySet(fmt.Sprintf(goodEC, `,"kid":"a","kid":"b"`)), ErrFormat},
		{"a member twice, escaped", keySet(fmt.Sprintf(goodEC, `,"kid":"a","k\u0069d":"b"`)), ErrFormat},
		{"a member twice, deep", `{"keys":[],"x":[{"a":{"b":1,"b":2}}]}`, ErrFormat},
		{"too deep", `{"keys":[],"x":` + strings.Repeat("[", 9) + strings.Repeat("]", 9) + `}`, ErrFormat},
		{"not UTF-8", `{"keys":[],"x":"` + "\xff" + `"}`, ErrFormat},
		{"too long", `{"keys":[]}` + strings.Repeat(" ", MaxDocument), ErrFormat},
		{"kid a number", keySet(fmt.Sprintf(goodEC, `,"kid":1`)), ErrFormat},
		{"kid null", keySet(fmt.Sprintf(goodEC, `,"kid":null`)), ErrFormat},
		{"kid for the terminal", keySet(fmt.Sprintf(goodEC, `,"kid":"\u001b[2J"`)), ErrKid},
		{"a kid twice", keySet(fmt.Sprintf(goodEC, `,"kid":"a"`), fmt.Sprintf(goodOKP, `,"kid":"a"`)), ErrDuplicateKid},
		{"a private EC key", keySet(fmt.Sprintf(goodEC, `,"d":"AA"`)), ErrPrivateKey},
		{"a private key of an unknown kind", keySet(`{"kty":"AKP","priv":"AA"}`), ErrPrivateKey},
		{"a symmetric key", keySet(`{"kty":"oct","k":"AA"}`), ErrPrivateKey},
		{"alg of another curve", keySet(fmt.Sprintf(goodEC, `,"alg":"ES512"`)), ErrAlgorithm},
		{"a short coordinate", ec(x[:40], x), ErrUnsupportedKey},
		{"a coordinate with a zero before", ec("AA"+x[:42], x), ErrUnsupportedKey},
		{"a point off the curve", ec(x, x), ErrUnsupportedKey},
		{"padding", ec(x+"=", x), ErrFormat},
		{"a line break", keySet(fmt.Sprintf(`{"kty":"EC","crv":"P-256","x":"%s\n","y":%q}`, x, x)), ErrFormat},
		{"standard base64", ec(strings.Replace(x, "-", "+", 1), x), ErrFormat},
		{"stray bits", ec(x[:42]+"t", x), ErrFormat},
		{"a short ML-DSA key", keySet(`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`), ErrUnsupportedKey},
		{"a short Ed25519 key", keySet(`{"kty":"OKP","crv":"Ed25519","x":"AA"}`), ErrUnsupportedKey},
		{"no modulus", keySet(`{"kty":"RSA","e":"AQAB"}`), ErrUnsupportedKey},
		{"a zero before the exponent", keySet(`{"kty":"RSA","n":"AQAB","e":"AAEAAQ"}`), ErrUnsupportedKey},
		{"a huge exponent", keySet(`{"kty":"RSA","n":"AQAB","e":"AQAAAAAAAAAB"}`), ErrUnsupportedKey},
		{"a weak key", keySet(`{"kty":"RSA","n":"AQAB","e":"AQAB"}`), ErrWeakKey},
		{"x5c not a list", keySet(fmt.Sprintf(goodEC, `,"x5c":"AA"`)), ErrFormat},
		{"x5c empty", keySet(fmt.Sprintf(goodEC, `,"x5c":[]`)), ErrFormat},
		{"x5c not base64", keySet(fmt.Sprintf(goodEC, `,"x5c":["-"]`)), ErrFormat},
		{"x5c not a certificate", keySet(fmt.Sprintf(goodEC, `,"x5c":["AAAA"]`)), ErrFormat},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := ParseSet([]byte(test.document)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
		})
	}
}

func TestParseSetChecksCertificatesAgainstTheKey(t *testing.T) {
	root := newAuthority(t)
	private, key := newKey(t)
	stranger, other := newKey(t)
	_ = stranger
	key.Certificates = append(key.Certificates, root.issue(t, "payments", private.Public()))
	document := string(mustSet(t, key).JSON())
	theirs := strings.Split(string(mustSet(t, other).JSON()), `"x":`)[1]
	ours := strings.Split(strings.Split(document, `"x":`)[1], `,"x5c"`)[0]
	swapped := strings.Replace(document, ours, strings.TrimSuffix(theirs, `}]}`), 1)
	if _, err := ParseSet([]byte(swapped)); !errors.Is(err, ErrCertificateKey) {
		t.Errorf("another key: %v", err)
	}
	thumbprint := CertificateThumbprint(key.Certificates[0])
	wrong := strings.Replace(document, thumbprint, b64.EncodeToString(make([]byte, 32)), 1)
	if _, err := ParseSet([]byte(wrong)); !errors.Is(err, ErrCertificateKey) {
		t.Errorf("another thumbprint: %v", err)
	}
}

// FuzzParseSet: a set that parses has public keys only, survives encoding and
// parsing, and go-jose accepts it.
func FuzzParseSet(f *testing.F) {
	f.Add([]byte(keySet(fmt.Sprintf(goodEC, `,"kid":"a","use":"sig","alg":"ES256"`), fmt.Sprintf(goodOKP, `,"kid":"b","use":"sig","alg":"EdDSA"`))))
	f.Add([]byte(keySet(fmt.Sprintf(goodEC, `,"kid":"a","use":"enc"`), fmt.Sprintf(goodOKP, `,"alg":"EdDSA"`))))
	f.Add([]byte(keySet(goodRSA)))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AA"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"}],"keys":[]}`))
	f.Fuzz(func(t *testing.T, document []byte) {
		set, err := ParseSet(document)
		if err != nil {
			return
		}
		again, err := ParseSet(set.JSON())
		if err != nil || !bytes.Equal(again.JSON(), set.JSON()) {
			t.Fatalf("read again: %v\n%s\n%s", err, set.JSON(), again.JSON())
		}
		if d := Diff(set, again); !d.Complete() || len(d.Findings) != 0 {
			t.Fatalf("it differs from itself: %s", d)
		}
		var theirs jose.JSONWebKeySet
		if err := json.Unmarshal(set.JSON(), &theirs); err != nil {
			t.Fatalf("go-jose: %v in %s", err, set.JSON())
		}
		for _, key := range theirs.Keys {
			if !key.IsPublic() {
				t.Fatalf("not public: %s", set.JSON())
			}
		}
	})
}
