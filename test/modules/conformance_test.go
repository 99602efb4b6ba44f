package modules

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"slices"
	"testing"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// TestConformance asks of every module what assertd asks of SoftHSM.
func TestConformance(t *testing.T) {
	for name, set := range map[string]func(testing.TB) *Module{
		"p11-kit client": P11KitClient, "p11-kit proxy": P11KitProxy, "pkcs11-spy": Spy, "tpm2-pkcs11": TPM2,
		"opencryptoki": func(t testing.TB) *Module { return Opencryptoki(t, "^TestConformance$/^opencryptoki$") },
	} {
		t.Run(name, func(t *testing.T) {
			if m := set(t); m != nil {
				m.Setenv(t)
				conform(t, m)
			}
		})
	}
}

func conform(t *testing.T, m *Module) {
	cfg := hsm.Config{Module: m.Path, Label: m.Label}
	if _, err := hsm.Open(cfg, hsm.NewPIN([]byte("wrong"))); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Fatalf("opened with a wrong PIN: %v", err)
	}
	token, err := hsm.Open(cfg, hsm.NewPIN([]byte(m.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	for _, typ := range m.Lacks {
		refused(t, token, typ)
	}
	for _, typ := range m.Types {
		key := made(t, token, m, typ)
		for _, alg := range algorithms(key) {
			signs(t, key, alg, !slices.Contains(m.Unsigned, alg))
		}
		if typ == m.Types[0] {
			many(t, key, m.algorithm(typ), m.Signs)
		}
		if err := token.Destroy(key); err != nil {
			t.Errorf("destroying %s: %v", typ, err)
		}
		absent(t, token, typ)
	}
}

// refused makes sure that a type that the token can't make is refused, with
// nothing left behind: then the module's page must say so.
func refused(t *testing.T, token *hsm.Token, typ hsm.KeyType) {
	t.Helper()
	if _, err := token.Generate(hsm.Spec{Label: string(typ), Type: typ}); err == nil || errors.Is(err, hsm.ErrLeftover) {
		t.Errorf("a key of type %s: %v; want it refused", typ, err)
	}
	absent(t, token, typ)
}

func absent(t *testing.T, token *hsm.Token, typ hsm.KeyType) {
	t.Helper()
	if _, err := token.Find(hsm.Selector{Label: string(typ)}); !errors.Is(err, hsm.ErrKeyNotFound) {
		t.Errorf("the key of type %s: %v; want it gone", typ, err)
	}
}

// made generates a key and finds it again.
func made(t *testing.T, token *hsm.Token, m *Module, typ hsm.KeyType) *hsm.Key {
	t.Helper()
	spec := hsm.Spec{Label: string(typ), Type: typ, Alg: m.algorithm(typ)}
	generated, err := token.Generate(spec)
	if err != nil {
		t.Fatal(err)
	}
	key, err := token.Find(hsm.Selector{Label: spec.Label, ID: generated.ID()})
	if err != nil || key.Problem() != nil || key.Type() != typ {
		t.Fatalf("found %s of type %s: %v, %v", typ, key.Type(), err, key.Problem())
	}
	return key
}

// algorithm is one that the token makes with keys of the type.
func (m *Module) algorithm(typ hsm.KeyType) string {
	for _, kind := range []jose.Kind{jose.P256, jose.P384, jose.P521, jose.Ed25519, jose.RSA} {
		if kind.Crv != string(typ) && kind.Crv != "" {
			continue
		}
		for _, alg := range jose.NamesFor(kind) {
			if !slices.Contains(m.Unsigned, alg) {
				return alg
			}
		}
	}
	return ""
}

func algorithms(key *hsm.Key) []string { return jose.NamesFor(jose.KindOf(key.Public())) }

// signs verifies a signature with Go's own packages.
func signs(t *testing.T, key *hsm.Key, name string, want bool) {
	t.Helper()
	alg, err := jose.Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	digest := alg.Digest([]byte("a message of " + name))
	signature, err := key.SignMessageContext(t.Context(), []byte("a message of "+name), alg.Options)
	switch {
	case want && err != nil:
		t.Errorf("%s with %s: %v", name, key.Type(), err)
	case !want && err == nil:
		t.Errorf("%s with %s: the token signs; the module's page says it doesn't", name, key.Type())
	case want && !verifies(key.Public(), digest, alg.Options, signature):
		t.Errorf("%s with %s: the signature doesn't verify", name, key.Type())
	}
}

func verifies(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts, signature []byte) bool {
	switch public := public.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(public, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(public, digest, signature)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(public, opts.HashFunc(), digest, signature, pss) == nil
		}
		return rsa.VerifyPKCS1v15(public, opts.HashFunc(), digest, signature) == nil
	}
	return false
}

func many(t *testing.T, key *hsm.Key, alg string, n int) {
	t.Helper()
	for range n {
		if err := key.Prove(t.Context(), alg); err != nil {
			t.Fatalf("one of %d signatures with %s: %v", n, key.Type(), err)
		}
	}
}
