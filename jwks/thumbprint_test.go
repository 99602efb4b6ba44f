package jwks

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"math/big"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func TestThumbprintVectors(t *testing.T) {
	for _, test := range []struct{ name, document, want string }{
		{
			"RFC 7638 section 3.1, RSA",
			keySet(goodRSA),
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		},
		{
			"RFC 8037 appendix A.3, Ed25519",
			`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`,
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		},
		{
			"RFC 9449 section 6.1, EC",
			`{"keys":[{"kty":"EC","x":"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs","y":"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA","crv":"P-256"}]}`,
			"0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := Thumbprint(mustParse(t, test.document).Keys()[0].Public)
			if err != nil || got != test.want {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// Another implementation must agree on every kind of key, and above all on the
// few whose coordinates begin with a zero byte.
func TestThumbprintAgreesWithGoJose(t *testing.T) {
	publics := []crypto.PublicKey{}
	for _, key := range oneOfEach(t) {
		publics = append(publics, key.Public)
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		publics = append(publics, shortCoordinate(t, curve))
	}
	for _, public := range publics {
		ours, err := Thumbprint(public)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := (&jose.JSONWebKey{Key: public}).Thumbprint(crypto.SHA256)
		if err != nil || ours != b64.EncodeToString(theirs) {
			t.Errorf("%T: ours %s, theirs %s, %v", public, ours, b64.EncodeToString(theirs), err)
		}
	}
}

// shortCoordinate finds a point with a coordinate that begins with a zero byte
// (P-521 has one half of the time).
func shortCoordinate(t *testing.T, curve elliptic.Curve) *ecdsa.PublicKey {
	width := (curve.Params().BitSize + 7) / 8
	for d := uint32(1); d < 1<<20; d++ {
		scalar := make([]byte, width)
		binary.BigEndian.PutUint32(scalar[width-4:], d)
		key, err := ecdsa.ParseRawPrivateKey(curve, scalar)
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if point[1] == 0 || point[1+width] == 0 {
			return &key.PublicKey
		}
	}
	t.Fatal("no such point among the first million")
	return nil
}

func TestThumbprintRefuses(t *testing.T) {
	k := testKeys()
	for _, test := range []struct {
		name   string
		public crypto.PublicKey
		want   error
	}{
		{"nothing", nil, ErrUnsupportedKey},
		{"an EC private key", k.p256, ErrPrivateKey},
		{"an RSA private key", k.rsa, ErrPrivateKey},
		{"an Ed25519 private key", k.ed25519, ErrPrivateKey},
		{"a nil EC key", (*ecdsa.PublicKey)(nil), ErrUnsupportedKey},
		{"a nil RSA key", (*rsa.PublicKey)(nil), ErrUnsupportedKey},
		{"P-224", &ecdsa.PublicKey{Curve: elliptic.P224()}, ErrUnsupportedKey},
		{"an empty EC key", &ecdsa.PublicKey{Curve: elliptic.P256()}, ErrUnsupportedKey},
		//lint:ignore SA1019 a key that the present constructors refuse to make
		{"a point off the curve", &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}, ErrUnsupportedKey},
		{"an RSA key with exponent 1", &rsa.PublicKey{N: k.rsa.N, E: 1}, ErrUnsupportedKey},
		{"an RSA key with an even modulus", &rsa.PublicKey{N: new(big.Int).Lsh(k.rsa.N, 1), E: 3}, ErrUnsupportedKey},
		{"a short Ed25519 key", ed25519.PublicKey{1, 2, 3}, ErrUnsupportedKey},
		{"bytes", []byte("secret"), ErrUnsupportedKey},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got, err := Thumbprint(test.public); !errors.Is(err, test.want) {
				t.Errorf("got %q, %v; want %v", got, err, test.want)
			}
			if Algorithms(test.public) != nil {
				t.Error("it has algorithms")
			}
		})
	}
}
