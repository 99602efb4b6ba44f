package keyadmin_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/pkcs11"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/jwks"
)

// TestWrongKeysAreRefusedByName puts on the token what must not be there. The
// inventory names each, and assertd neither generates nor prunes in its key
// set.
func TestWrongKeysAreRefusedByName(t *testing.T) {
	label := keyset.Label("payments", start)
	for _, test := range []struct {
		name string
		make func(b *bench)
		alg  string
		want string
	}{
		{"two under one label", func(b *bench) { b.foreign(label, []byte{1}, 0, nil); b.foreign(label, []byte{2}, 0, nil) }, "ES256", "label used twice"},
		{"a bad time", func(b *bench) { b.foreign("payments/20261341T000000Z", []byte{1}, 0, nil) }, "ES256", "20261341T000000Z"},
		{"RSA-1024", func(b *bench) { b.foreign(label, []byte{1}, 1024, nil) }, "RS256", "RSA key of 1024 bits"},
		{"extractable", func(b *bench) { b.foreign(label, []byte{1}, 0, map[uint]bool{pkcs11.CKA_EXTRACTABLE: true}) }, "ES256", "CKA_EXTRACTABLE is true"},
		{"able to decrypt", func(b *bench) { b.foreign(label, []byte{1}, 2048, map[uint]bool{pkcs11.CKA_DECRYPT: true}) }, "RS256", "CKA_DECRYPT is true"},
		{"of another kind", func(b *bench) { b.foreign(label, []byte{1}, 2048, nil) }, "ES256", "can't sign ES256"},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := payments()
			set.Alg = test.alg
			b := newBench(t, set)
			test.make(b)
			for _, key := range b.inventory().Keys {
				if key.State != "" || key.Problem == nil {
					t.Errorf("key %s is %q, problem %v", key.Kid, key.State, key.Problem)
				}
			}
			notes := strings.Join(b.inventory().Notes(), "\n")
			if !strings.Contains(notes, test.want) || !strings.Contains(notes, "refused by the daemon") {
				t.Errorf("notes %q, want %q in them", notes, test.want)
			}
			if _, err := b.Generate("payments", false); !errors.Is(err, keyadmin.ErrUnsound) || !errors.Is(err, keyset.ErrKey) {
				t.Errorf("generated in spite of it: %v", err)
			}
			if _, err := b.inventory().Prunable(); !errors.Is(err, keyadmin.ErrUnsound) {
				t.Errorf("pruned in spite of it: %v", err)
			}
		})
	}
}

// With use: kubernetes, the other set's kid of the pair is another one.
func TestOnePairForTwoUses(t *testing.T) {
	for _, other := range []keyset.Set{{Name: "tls", Alg: "ES256", Raw: true}, {Name: "tokens", Alg: "ES256", Kubernetes: true}} {
		t.Run(other.Name, func(t *testing.T) {
			second := keyadmin.KeySet{Type: hsm.P256, Set: other}
			b := newBench(t, payments(), second)
			key := b.generate("payments")
			second.Label = key.Label
			b.configure(payments(), second)
			for _, set := range []string{"payments", other.Name} {
				if _, err := b.Generate(set, true); !errors.Is(err, keyset.ErrKey) || !strings.Contains(err.Error(), "serves payments and "+other.Name) {
					t.Errorf("%s: %v", set, err)
				}
			}
			revoked := payments()
			revoked.Rotation.Revoke = []string{key.Kid}
			for _, first := range []keyadmin.KeySet{payments(), revoked} {
				b.configure(first, second)
				if err := b.Destroy(b.find(fmt.Sprintf("id:%x", key.Pair.ID())), keyadmin.MayDestroy); !errors.Is(err, keyadmin.ErrInUse) {
					t.Errorf("destroyed though %s signs with it: %v", other.Name, err)
				}
			}
		})
	}
}

func TestAdopt(t *testing.T) {
	b := newBench(t, payments())
	b.generate("payments")
	b.foreign("legacy", []byte{0xa0, 1}, 0, nil)
	adoption, err := b.Adopt(t.Context(), "legacy-set", "", hsm.Selector{Label: "legacy"})
	if err != nil {
		t.Fatal(err)
	}
	want := "keys:\n  legacy-set:\n    alg: ES256\n    use: assertion   # or raw\n    label: \"legacy\"\n    id: \"a001\"\n"
	if text := adoption.Configuration(); !strings.HasPrefix(text, want) || adoption.Key.Kid == "" {
		t.Errorf("kid %s, configuration\n%s", adoption.Key.Kid, text)
	}
	// What it printed works: the set now has the key, of unknown age and so as
	// its oldest version, which signs until the generated one has been
	// published for a day.
	set := payments()
	set.Label, set.ID = "legacy", []byte{0xa0, 1}
	b.configure(set)
	if key := b.find("legacy"); key.Set != "payments" || !key.Adopted || key.State != keyset.Signing {
		t.Errorf("adopted as %+v", key.PlannedVersion)
	}
}

func TestAdoptRefuses(t *testing.T) {
	b := newBench(t, payments())
	key := b.generate("payments")
	b.foreign("open", []byte{1}, 0, map[uint]bool{pkcs11.CKA_EXTRACTABLE: true, pkcs11.CKA_SENSITIVE: false})
	b.foreign("weak", []byte{2}, 1024, nil)
	b.foreign("twin", []byte{3}, 0, nil)
	b.foreign("twin", []byte{4}, 0, nil)
	b.foreign("rsa", []byte{5}, 2048, nil)
	for _, test := range []struct {
		label, set, alg string
		want            error
		says            string
	}{
		{"open", "s", "", hsm.ErrCustody, "CKA_SENSITIVE is false"},
		{"weak", "s", "RS256", hsm.ErrUnusable, "RSA key of 1024 bits"},
		{"twin", "s", "", hsm.ErrAmbiguous, "2 keys"},
		{"none", "s", "", hsm.ErrKeyNotFound, "none"},
		{"rsa", "s", "", keyadmin.ErrNoAlgorithm, "--alg"},
		{"rsa", "s", "ES256", keyadmin.ErrNoAlgorithm, "RSA-2048"},
		{"rsa", "payments", "", keyadmin.ErrNoAlgorithm, "RSA-2048"},
		{"twin", "bad/name", "", jwks.ErrSetName, "bad/name"},
		{key.Label, "s", "", keyadmin.ErrAdopted, "payments"},
	} {
		_, err := b.Adopt(t.Context(), test.set, test.alg, hsm.Selector{Label: test.label})
		if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s for %s: %v, want %v", test.label, test.set, err, test.want)
		}
	}
	if _, err := b.Adopt(t.Context(), "s", "", hsm.Selector{Label: "twin", ID: []byte{4}}); err != nil {
		t.Errorf("one of two, by its ID: %v", err)
	}
}

func TestKeyType(t *testing.T) {
	for _, test := range []struct {
		alg  string
		bits int
		want hsm.KeyType
	}{
		{"ES256", 0, hsm.P256}, {"ES384", 0, hsm.P384}, {"ES512", 0, hsm.P521}, {"EdDSA", 0, hsm.Ed25519}, {"Ed25519", 0, hsm.Ed25519},
		{"RS256", 0, hsm.RSA3072}, {"PS512", 2048, hsm.RSA2048}, {"RS384", 4096, hsm.RSA4096},
		{"ES256", 2048, ""}, {"RS256", 1024, ""}, {"HS256", 0, ""}, {"none", 0, ""}, {"", 0, ""},
	} {
		got, err := keyadmin.KeyType(test.alg, test.bits)
		if got != test.want || (err == nil) != (test.want != "") || (err != nil && !errors.Is(err, keyadmin.ErrKeyType)) {
			t.Errorf("%s, %d bits: %q, %v", test.alg, test.bits, got, err)
		}
	}
}

// The setting lists what package hsm accepts, which it can't ask: it doesn't
// link PKCS#11.
func TestAcceptableAttributes(t *testing.T) {
	field, _ := reflect.TypeFor[config.Custody]().FieldByName("AcceptUnknown")
	if listed := strings.Split(field.Tag.Get("enum"), ","); !slices.Equal(listed, hsm.Acceptable()) {
		t.Errorf("hsm.custody.accept_unknown lists %v, and package hsm accepts %v", listed, hsm.Acceptable())
	}
}
