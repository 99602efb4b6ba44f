package jwks

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestSetIsWhatReceiversRead(t *testing.T) {
	keys := oneOfEach(t)
	set := mustSet(t, keys...)
	var theirs jose.JSONWebKeySet
	if err := json.Unmarshal(set.JSON(), &theirs); err != nil {
		t.Fatal(err)
	}
	if len(theirs.Keys) != len(keys) || set.Len() != len(keys) {
		t.Fatalf("%d keys, %d in JSON, want %d", set.Len(), len(theirs.Keys), len(keys))
	}
	for _, key := range keys {
		found := theirs.Key(key.Kid)
		if len(found) != 1 || found[0].Algorithm != key.Alg || found[0].Use != "sig" || !found[0].IsPublic() || !found[0].Valid() {
			t.Errorf("go-jose sees %+v for %s", found, key.Kid)
			continue
		}
		if !key.Public.(interface{ Equal(crypto.PublicKey) bool }).Equal(found[0].Key) {
			t.Errorf("another key came out for %s", key.Alg)
		}
	}
}

func TestSetIsTheSameInAnyOrder(t *testing.T) {
	keys := oneOfEach(t)
	want := string(mustSet(t, keys...).JSON())
	digest := mustSet(t, keys...).Digest()
	if fewer := mustSet(t, keys[1:]...).Digest(); fewer == digest || len(digest) != 64 {
		t.Errorf("digest %s with all keys, %s without one", digest, fewer)
	}
	slices.Reverse(keys)
	if got := mustSet(t, keys...).Digest(); got != digest {
		t.Errorf("the order of the keys shows in the digest")
	}
	if got := string(mustSet(t, keys...).JSON()); got != want {
		t.Errorf("the order of the keys shows:\n%s\n%s", want, got)
	}
	if again := string(mustParse(t, want).JSON()); again != want {
		t.Errorf("reading it back changes it:\n%s\n%s", want, again)
	}
}

func TestEmptySet(t *testing.T) {
	for name, set := range map[string]Set{"zero": {}, "new": mustSet(t), "read": mustParse(t, `{"keys":[]}`)} {
		if got := string(set.JSON()); got != `{"keys":[]}` || set.Len() != 0 || len(set.Keys()) != 0 {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestSetIsImmutable(t *testing.T) {
	set := mustSet(t, oneOfEach(t)...)
	want := string(set.JSON())
	set.JSON()[0] = 'x'
	set.Keys()[0].Kid = "x"
	if string(set.JSON()) != want || set.Keys()[0].Kid == "x" {
		t.Error("a caller could change the set")
	}
	if _, found := set.Lookup(""); found {
		t.Error("an empty kid leads to a key")
	}
	if key, found := set.Lookup(set.Keys()[1].Kid); !found || key.Kid != set.Keys()[1].Kid {
		t.Error("a kid does not lead to its key")
	}
}

func TestNewSetRefuses(t *testing.T) {
	good, other := oneOfEach(t)[0], oneOfEach(t)[3]
	weak := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), 1023, 1), E: 65537}
	huge := &rsa.PublicKey{N: new(big.Int).SetBit(big.NewInt(1), MaxRSABits, 1), E: 65537}
	with := func(change func(*Key)) Key { key := good; change(&key); return key }
	for _, test := range []struct {
		name string
		key  Key
		want error
	}{
		{"a private key", with(func(k *Key) { k.Public = testKeys().p256 }), ErrPrivateKey},
		{"no key", with(func(k *Key) { k.Public = nil }), ErrUnsupportedKey},
		{"RSA-1024", Key{Kid: "weak", Alg: "RS256", Public: weak}, ErrWeakKey},
		{"too long RSA", Key{Kid: "huge", Alg: "RS256", Public: huge}, ErrUnsupportedKey},
		{"no kid", with(func(k *Key) { k.Kid = "" }), ErrKid},
		{"a long kid", with(func(k *Key) { k.Kid = strings.Repeat("k", MaxKid+1) }), ErrKid},
		{"a kid for the terminal", with(func(k *Key) { k.Kid = "\x1b[2J" }), ErrKid},
		{"a kid that is not UTF-8", with(func(k *Key) { k.Kid = "\xff" }), ErrKid},
		{"no alg", with(func(k *Key) { k.Alg = "" }), ErrAlgorithm},
		{"alg none", with(func(k *Key) { k.Alg = "none" }), ErrAlgorithm},
		{"alg of another curve", with(func(k *Key) { k.Alg = "ES384" }), ErrAlgorithm},
		{"a symmetric alg", with(func(k *Key) { k.Alg = "HS256" }), ErrAlgorithm},
		{"the same kid again", with(func(k *Key) { k.Kid = other.Kid }), ErrDuplicateKid},
		{"an empty certificate", with(func(k *Key) { k.Certificates = []*x509.Certificate{nil} }), ErrCertificateChain},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := NewSet([]Key{other, test.key})
			var detail *KeyError
			if !errors.Is(err, test.want) || !errors.As(err, &detail) || detail.Index != 1 {
				t.Errorf("got %v, want %v for key 1", err, test.want)
			}
		})
	}
}

func TestCertificatesInTheSet(t *testing.T) {
	root := newAuthority(t)
	private, key := newKey(t)
	leaf := root.issue(t, "payments", private.Public())
	key.Certificates = []*x509.Certificate{leaf, root.certificate}
	set := mustSet(t, key)

	var theirs jose.JSONWebKeySet // go-jose checks x5c and x5t#S256 against the key
	if err := json.Unmarshal(set.JSON(), &theirs); err != nil {
		t.Fatal(err)
	}
	if got := theirs.Keys[0]; len(got.Certificates) != 2 || b64.EncodeToString(got.CertificateThumbprintSHA256) != CertificateThumbprint(leaf) {
		t.Errorf("go-jose sees %d certificates", len(got.Certificates))
	}
	if again := mustParse(t, string(set.JSON())); !sameChain(again.Keys()[0].Certificates, key.Certificates) {
		t.Error("the chain does not survive being read")
	}
}

func TestCheckCertificates(t *testing.T) {
	root, otherRoot := newAuthority(t), newAuthority(t)
	private, key := newKey(t)
	stranger, _ := newKey(t)
	leaf := root.issue(t, "payments", private.Public())
	for _, test := range []struct {
		name  string
		chain []*x509.Certificate
		at    float64
		want  error
	}{
		{"none", nil, 50, nil},
		{"the leaf", []*x509.Certificate{leaf}, 50, nil},
		{"leaf and root", []*x509.Certificate{leaf, root.certificate}, 50, nil},
		{"for another key", []*x509.Certificate{root.issue(t, "x", stranger.Public())}, 50, ErrCertificateKey},
		{"root first", []*x509.Certificate{root.certificate, leaf}, 50, ErrCertificateKey},
		{"another root", []*x509.Certificate{leaf, otherRoot.certificate}, 50, ErrCertificateChain},
		{"expired", []*x509.Certificate{leaf}, 101, ErrCertificateExpired},
		{"from the future", []*x509.Certificate{leaf}, 5, ErrCertificateFuture},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := CheckCertificates(key.Public, test.chain, day(test.at)); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			key.Certificates = test.chain
			_, err := NewSet([]Key{key})
			timeless := errors.Is(test.want, ErrCertificateExpired) || errors.Is(test.want, ErrCertificateFuture)
			if !timeless && !errors.Is(err, test.want) || timeless && err != nil {
				t.Errorf("NewSet: %v", err)
			}
		})
	}
}

// An HSM signer also has a Public method, and is not a public key.
func TestSignerIsNoPublicKey(t *testing.T) {
	signer := struct{ crypto.Signer }{testKeys().p256}
	if _, err := NewSet([]Key{{Kid: "k", Alg: "ES256", Public: signer}}); !errors.Is(err, ErrPrivateKey) {
		t.Errorf("got %v", err)
	}
}
