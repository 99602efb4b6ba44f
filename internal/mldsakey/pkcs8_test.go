package mldsakey_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"filippo.io/mldsa"
	"filippo.io/mldsa/x509"

	"github.com/assertd/assertd/internal/mldsakey"
)

// read reads a file that OpenSSL 3.6 made from the seed 00 01 02 … 1f.
func read(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name + ".pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", name)
	}
	return block.Bytes
}

func seed() (s [mldsa.PrivateKeySize]byte) {
	for i := range s {
		s[i] = byte(i)
	}
	return s
}

var sets = map[string]mldsa.Parameters{"44": mldsa.MLDSA44(), "65": mldsa.MLDSA65(), "87": mldsa.MLDSA87()}

// OpenSSL and this package read each other's keys.
func TestParsePKCS8(t *testing.T) {
	for name, parameters := range sets {
		want := seed()
		public, err := x509.ParsePKIXPublicKey(read(t, "mldsa-"+name+"-pub"))
		if err != nil {
			t.Fatal(err)
		}
		for _, form := range []string{"seed-only", "seed-priv"} {
			key, err := mldsakey.ParsePKCS8(read(t, "mldsa-"+name+"-"+form))
			if err != nil || !bytes.Equal(key.Bytes(), want[:]) || !key.PublicKey().Equal(public) {
				t.Errorf("%s, %s: %v", parameters, form, err)
			}
		}
		if _, err := mldsakey.ParsePKCS8(read(t, "mldsa-"+name+"-priv-only")); !errors.Is(err, mldsakey.ErrNoSeed) {
			t.Errorf("%s without a seed: %v", parameters, err)
		}
		key, err := mldsa.NewPrivateKey(parameters, want[:])
		if err != nil {
			t.Fatal(err)
		}
		if der, err := mldsakey.MarshalPKCS8(key); err != nil || !bytes.Equal(der, read(t, "mldsa-"+name+"-seed-priv")) {
			t.Errorf("%s: OpenSSL writes the key in another way: %v", parameters, err)
		}
	}
}

func TestParsePKCS8Refuses(t *testing.T) {
	good := read(t, "mldsa-44-seed-priv")
	swapped := bytes.Clone(good)
	swapped[len(swapped)-1] ^= 1 // the expanded key isn't the seed's
	for name, test := range map[string]struct {
		der  []byte
		kind error
	}{
		"nothing":        {nil, mldsakey.ErrOtherType},
		"a public key":   {read(t, "mldsa-44-pub"), mldsakey.ErrOtherType},
		"trailing bytes": {append(bytes.Clone(good), 0), mldsakey.ErrOtherType},
		"two keys":       {swapped, mldsakey.ErrDamaged},
	} {
		if key, err := mldsakey.ParsePKCS8(test.der); key != nil || !errors.Is(err, test.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
