package hsm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/go-jose/go-jose/v4"
)

func TestEveryKeyTypeSignsAllItsAlgorithms(t *testing.T) {
	token, _ := open(t)
	for _, typ := range slices.DeleteFunc(hsm.KeyTypes(), softhsm.Lacks) {
		t.Run(string(typ), func(t *testing.T) {
			key := generate(t, token, "key-"+string(typ), typ)
			if key.Type() != typ {
				t.Fatalf("generated %s, want %s", key.Type(), typ)
			}
			for _, options := range optionsOf(typ) {
				signAndVerify(t, key, options)
			}
			if err := key.Prove(context.Background(), ""); err != nil {
				t.Error(err)
			}
		})
	}
}

func optionsOf(typ hsm.KeyType) (options []crypto.SignerOpts) {
	if typ == hsm.Ed25519 {
		return []crypto.SignerOpts{crypto.Hash(0)}
	}
	for _, hash := range []crypto.Hash{crypto.SHA256, crypto.SHA384, crypto.SHA512} {
		options = append(options, hash)
		if typ[:3] == "RSA" {
			options = append(options, &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash})
			options = append(options, &rsa.PSSOptions{Hash: hash, SaltLength: hash.Size()})
		}
	}
	return options
}

func signAndVerify(t *testing.T, key *hsm.Key, options crypto.SignerOpts) {
	t.Helper()
	digest := []byte("a message")
	if hash := options.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	signature, err := key.Sign(nil, digest, options)
	if err != nil {
		t.Errorf("%v: %v", options, err)
		return
	}
	if !verifies(key.Public(), digest, signature, options) {
		t.Errorf("%v: the signature doesn't verify", options)
	}
}

func verifies(public crypto.PublicKey, digest, signature []byte, options crypto.SignerOpts) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest, signature)
	case *rsa.PublicKey:
		if pss, ok := options.(*rsa.PSSOptions); ok {
			exact := &rsa.PSSOptions{Hash: pss.Hash, SaltLength: pss.Hash.Size()}
			return rsa.VerifyPSS(public, pss.Hash, digest, signature, exact) == nil
		}
		return rsa.VerifyPKCS1v15(public, options.HashFunc(), digest, signature) == nil
	}
	return false
}

func TestSignRefusesOtherAlgorithms(t *testing.T) {
	token, _ := open(t)
	keys := map[hsm.KeyType]*hsm.Key{}
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.RSA2048, hsm.Ed25519} {
		keys[typ] = generate(t, token, string(typ), typ)
	}
	for name, test := range map[string]struct {
		typ    hsm.KeyType
		digest int
		opts   crypto.SignerOpts
	}{
		"no options":               {hsm.P256, 32, nil},
		"no hash":                  {hsm.P256, 32, crypto.Hash(0)},
		"SHA-1":                    {hsm.RSA2048, 20, crypto.SHA1},
		"short digest":             {hsm.P256, 31, crypto.SHA256},
		"another hash's":           {hsm.RSA2048, 48, crypto.SHA256},
		"PSS, longest salt":        {hsm.RSA2048, 32, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthAuto}},
		"PSS, another salt":        {hsm.RSA2048, 32, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: 20}},
		"PSS, no hash":             {hsm.RSA2048, 32, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}},
		"Ed25519 over a digest":    {hsm.Ed25519, 64, crypto.SHA512},
		"Ed25519ph":                {hsm.Ed25519, 64, &ed25519.Options{Hash: crypto.SHA512}},
		"Ed25519 with its context": {hsm.Ed25519, 64, &ed25519.Options{Context: "x"}},
	} {
		signature, err := keys[test.typ].Sign(nil, make([]byte, test.digest), test.opts)
		if signature != nil || !errors.Is(err, hsm.ErrAlgorithm) || hsm.IsFatal(err) {
			t.Errorf("%s: %x, %v", name, signature, err)
		}
	}
	for typ, key := range keys {
		if err := key.Prove(t.Context(), ""); err != nil {
			t.Errorf("%s after all this: %v", typ, err)
		}
	}
}

// An independent JOSE library accepts the signatures.
func TestGoJoseVerifies(t *testing.T) {
	token, _ := open(t, withCopies)
	keys := map[hsm.KeyType]*hsm.Key{}
	for _, typ := range []hsm.KeyType{hsm.P256, hsm.P384, hsm.P521, hsm.RSA2048, hsm.Ed25519} {
		keys[typ] = generate(t, token, string(typ), typ)
	}
	pss := func(hash crypto.Hash) crypto.SignerOpts {
		return &rsa.PSSOptions{Hash: hash, SaltLength: rsa.PSSSaltLengthEqualsHash}
	}
	for alg, test := range map[jose.SignatureAlgorithm]struct {
		typ  hsm.KeyType
		opts crypto.SignerOpts
	}{
		jose.ES256: {hsm.P256, crypto.SHA256}, jose.ES384: {hsm.P384, crypto.SHA384}, jose.ES512: {hsm.P521, crypto.SHA512},
		jose.RS256: {hsm.RSA2048, crypto.SHA256}, jose.RS384: {hsm.RSA2048, crypto.SHA384}, jose.RS512: {hsm.RSA2048, crypto.SHA512},
		jose.PS256: {hsm.RSA2048, pss(crypto.SHA256)}, jose.PS384: {hsm.RSA2048, pss(crypto.SHA384)}, jose.PS512: {hsm.RSA2048, pss(crypto.SHA512)},
		jose.EdDSA: {hsm.Ed25519, crypto.Hash(0)},
	} {
		key := keys[test.typ]
		compact := jws(t, key, string(alg), test.opts)
		parsed, err := jose.ParseSignedCompact(compact, []jose.SignatureAlgorithm{alg})
		if err != nil {
			t.Errorf("%s: %v", alg, err)
			continue
		}
		if _, err := parsed.Verify(key.Public()); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

// jws makes a compact JWS by hand (RFC 7515 section 7.1).
func jws(t *testing.T, key *hsm.Key, alg string, opts crypto.SignerOpts) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	signed := encode([]byte(`{"alg":"`+alg+`"}`)) + "." + encode([]byte("a payload"))
	digest := []byte(signed)
	if hash := opts.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(digest)
		digest = h.Sum(nil)
	}
	signature, err := key.Sign(nil, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	if public, ok := key.Public().(*ecdsa.PublicKey); ok {
		var halves struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(signature, &halves); err != nil {
			t.Fatal(err)
		}
		size := (public.Curve.Params().BitSize + 7) / 8
		signature = append(halves.R.FillBytes(make([]byte, size)), halves.S.FillBytes(make([]byte, size))...)
	}
	return signed + "." + encode(signature)
}

// Signing works while the token is listed and refreshed and keys come and go.
// Run with -race.
func TestConcurrentUse(t *testing.T) {
	token, _ := open(t, withCopies, func(cfg *hsm.Config) { cfg.Sessions = 3 })
	keys := []*hsm.Key{generate(t, token, "ec", hsm.P256), generate(t, token, "ed", hsm.Ed25519), generate(t, token, "rsa", hsm.RSA2048)}
	var signers, admin sync.WaitGroup
	done := make(chan struct{})
	admin.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-done:
				return
			default:
			}
			key, err := token.Generate(hsm.Spec{Label: fmt.Sprint("temporary ", i), Type: hsm.P256})
			if err == nil {
				err = errors.Join(token.Refresh(t.Context()), token.Destroy(key))
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for i := range 8 {
		signers.Go(func() {
			for range 40 {
				if err := keys[i%len(keys)].Prove(t.Context(), ""); err != nil {
					t.Error(err)
				}
				if i == 0 {
					if _, err := token.Keys(); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	signers.Wait()
	close(done)
	admin.Wait()
	if found, err := token.Keys(); err != nil || len(found) != len(keys) {
		t.Errorf("%d keys are left (%v), want %d", len(found), err, len(keys))
	}
}
