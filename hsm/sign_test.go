package hsm_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"testing"

	"github.com/assertd/assertd/hsm"
)

func TestEveryKeyTypeSignsAllItsAlgorithms(t *testing.T) {
	token, _ := open(t)
	for _, typ := range hsm.KeyTypes() {
		t.Run(string(typ), func(t *testing.T) {
			key := generate(t, token, "key-"+string(typ), typ)
			if key.Type() != typ {
				t.Fatalf("generated %s, want %s", key.Type(), typ)
			}
			for _, options := range optionsOf(typ) {
				signAndVerify(t, key, options)
			}
			if err := key.Prove(context.Background()); err != nil {
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
