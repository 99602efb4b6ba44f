package main

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/jwks"
)

// TestVerifyMLDSA verifies JWTs that go-jose can't.
func TestVerifyMLDSA(t *testing.T) {
	key, err := mldsa.GenerateKey(mldsa.MLDSA65())
	if err != nil {
		t.Fatal(err)
	}
	set, err := jwks.NewSet([]jwks.Key{{Kid: "one", Alg: "ML-DSA-65", Public: key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(1_800_000_000, 0)
	encode := base64.RawURLEncoding.EncodeToString
	sign := func(header, claims string) string {
		input := encode([]byte(header)) + "." + encode([]byte(claims))
		signature, err := key.Sign(nil, []byte(input), crypto.Hash(0))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + encode(signature)
	}
	header := `{"alg":"ML-DSA-65","kid":"one"}`
	valid, expired := fmt.Sprintf(`{"exp":%d}`, now.Unix()+60), fmt.Sprintf(`{"exp":%d}`, now.Unix()-60)
	other := strings.Split(sign(header, expired), ".")
	for _, row := range []struct{ name, compact, says string }{
		{"a valid one", sign(header, valid), ""},
		{"an expired one", sign(header, expired), "expired"},
		{"another's claims", strings.Replace(sign(header, valid), encode([]byte(valid)), other[1], 1), "does not match key one"},
		{"an unknown key", sign(`{"alg":"ML-DSA-65","kid":"two"}`, valid), "no key"},
		{"another algorithm", sign(`{"alg":"ML-DSA-44","kid":"one"}`, valid), "is for ML-DSA-65"},
		{"an algorithm twice", sign(`{"alg":"ML-DSA-65","kid":"one","alg":"EdDSA"}`, valid), "verif"},
		{"a critical extension", sign(`{"alg":"ML-DSA-65","kid":"one","crit":["b64"]}`, valid), "verif"},
	} {
		var out strings.Builder
		result, err := verify(row.compact, set, "", now)
		_ = result.print(&out)
		if row.says == "" && (err != nil || !strings.Contains(out.String(), "ML-DSA-65 signature by key one")) {
			t.Errorf("%s: %v, %q", row.name, err, out.String())
		}
		if row.says != "" && (!errors.Is(err, errNotVerified) || !strings.Contains(err.Error(), row.says)) {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}
