package keyfile_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"filippo.io/mldsa"
	mldsax509 "filippo.io/mldsa/x509"
	"github.com/go-jose/go-jose/v4"
	"github.com/youmark/pkcs8"

	"github.com/assertd/assertd/internal/keyfile"
	"github.com/assertd/assertd/internal/mldsakey"
)

type private interface {
	crypto.Signer
	Equal(x crypto.PrivateKey) bool
}

func keys(t *testing.T) map[string]private {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	check(t, err)
	mldsaKey, err := mldsa.GenerateKey(mldsa.MLDSA65())
	check(t, err)
	return map[string]private{"RSA": rsaKey, "EC": ecKey, "Ed25519": edKey, "ML-DSA": mldsaKey}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func block(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

const secret = "correct horse"

// forms are the files that a key may come in.
func forms(t *testing.T, key private) map[string][]byte {
	t.Helper()
	if key, ok := key.(*mldsa.PrivateKey); ok {
		return mldsaForms(t, key)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	encrypted, err := pkcs8.MarshalPrivateKey(key, []byte(secret), nil)
	check(t, err)
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "1"})
	check(t, err)
	all := map[string][]byte{
		"PKCS #8": block("PRIVATE KEY", der), "DER": der, "encrypted": block("ENCRYPTED PRIVATE KEY", encrypted), "JWK": jwk,
		"with a certificate": append(block("CERTIFICATE", []byte("no matter")), block("PRIVATE KEY", der)...),
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		all["GitHub's PKCS #1"] = block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(key))
	case *ecdsa.PrivateKey:
		sec1, err := x509.MarshalECPrivateKey(key)
		check(t, err)
		all["SEC 1 with parameters"] = append(block("EC PARAMETERS", []byte{5, 0}), block("EC PRIVATE KEY", sec1)...)
		all["Coinbase's JSON"], err = json.Marshal(map[string]string{"name": "organizations/o/apiKeys/k", "privateKey": string(block("EC PRIVATE KEY", sec1))})
		check(t, err)
	case ed25519.PrivateKey:
		text := base64.StdEncoding.EncodeToString(key)
		all["Coinbase's base64"] = []byte(text + "\n")
		all["Coinbase's JSON"] = []byte(`{"id": "k", "privateKey": "` + text + `"}`)
	}
	return all
}

func mldsaForms(t *testing.T, key *mldsa.PrivateKey) map[string][]byte {
	t.Helper()
	seedOnly, err := mldsax509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	both, err := mldsakey.MarshalPKCS8(key)
	check(t, err)
	return map[string][]byte{"PKCS #8": block("PRIVATE KEY", seedOnly), "encrypted": block("ENCRYPTED PRIVATE KEY", encrypt(t, both)), "OpenSSL's PKCS #8": block("PRIVATE KEY", both), "DER": both, "JWK": akp(key)}
}

// encrypt is PBES2 with the parameters that openssl pkcs8 -topk8 chooses.
func encrypt(t *testing.T, der []byte) []byte {
	t.Helper()
	const iterations = 2048
	salt, iv := []byte("saltsalt"), make([]byte, 16)
	key, parameters, err := pkcs8.PBKDF2Opts{IterationCount: iterations, HMACHash: crypto.SHA256}.DeriveKey([]byte(secret), salt, 32)
	check(t, err)
	data, err := pkcs8.AES256CBC.Encrypt(key, iv, der)
	check(t, err)
	return pbes2(t, parameters, iv, data)
}

func pbes2(t *testing.T, derivation any, iv, data []byte) []byte {
	t.Helper()
	identify := func(oid asn1.ObjectIdentifier, parameters any) asn1.RawValue {
		der, err := asn1.Marshal(struct {
			Algorithm  asn1.ObjectIdentifier
			Parameters any
		}{oid, parameters})
		check(t, err)
		return asn1.RawValue{FullBytes: der}
	}
	type pair struct{ A, B asn1.RawValue }
	scheme := identify(asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, pair{
		identify(pkcs8.PBKDF2Opts{}.OID(), derivation), identify(pkcs8.AES256CBC.OID(), iv),
	})
	der, err := asn1.Marshal(struct {
		Scheme asn1.RawValue
		Data   []byte
	}{scheme, data})
	check(t, err)
	return der
}

// An encrypted file that is damaged is refused, whatever is wrong with it.
func TestDamagedEncryption(t *testing.T) {
	_, parameters, err := pkcs8.PBKDF2Opts{IterationCount: 1, HMACHash: crypto.SHA256}.DeriveKey([]byte(secret), []byte("salt"), 32)
	check(t, err)
	type endless struct {
		Salt  []byte
		Count int
	}
	for name, der := range map[string][]byte{
		"no data":             pbes2(t, parameters, make([]byte, 16), nil),
		"an incomplete block": pbes2(t, parameters, make([]byte, 16), make([]byte, 17)),
		"a short vector":      pbes2(t, parameters, make([]byte, 8), make([]byte, 16)),
		"endless work":        pbes2(t, endless{[]byte("salt"), 1 << 40}, make([]byte, 16), make([]byte, 16)),
		"no work":             pbes2(t, endless{[]byte("salt"), 0}, make([]byte, 16), make([]byte, 16)),
		"trailing bytes":      append(encrypt(t, []byte("key")), 0),
		"no key in it":        encrypt(t, []byte("key")),
	} {
		_, err := keyfile.Parse(block("ENCRYPTED PRIVATE KEY", der), func() ([]byte, error) { return []byte(secret), nil })
		if !errors.Is(err, keyfile.ErrPassphrase) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What other programs encrypt with is decrypted too.
func TestCiphersAndDerivations(t *testing.T) {
	key := keys(t)["EC"]
	for _, options := range []*pkcs8.Opts{
		{Cipher: pkcs8.TripleDESCBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA1}},
		{Cipher: pkcs8.AES128CBC, KDFOpts: pkcs8.PBKDF2Opts{SaltSize: 8, IterationCount: 2048, HMACHash: crypto.SHA256}},
		{Cipher: pkcs8.AES192CBC, KDFOpts: pkcs8.ScryptOpts{SaltSize: 8, CostParameter: 1 << 10, BlockSize: 8, ParallelizationParameter: 1}},
	} {
		der, err := pkcs8.MarshalPrivateKey(key, []byte(secret), options)
		check(t, err)
		got, err := keyfile.Parse(block("ENCRYPTED PRIVATE KEY", der), func() ([]byte, error) { return []byte(secret), nil })
		if err != nil || !key.Equal(got) {
			t.Errorf("%v with %v: %v", options.Cipher.OID(), options.KDFOpts.OID(), err)
		}
	}
}

// PBKDF2 works with each HMAC that openssl pkcs8 -v2prf offers for SHA-2.
func TestHMACs(t *testing.T) {
	type parameters struct {
		Salt  []byte
		Count int
		PRF   pkix.AlgorithmIdentifier
	}
	key, salt, iv := keys(t)["EC"], []byte("saltsalt"), make([]byte, 16)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	check(t, err)
	for last, hash := range map[int]crypto.Hash{9: crypto.SHA256, 10: crypto.SHA384, 11: crypto.SHA512} {
		secretKey, err := pbkdf2.Key(hash.New, secret, salt, 2048, 32)
		check(t, err)
		data, err := pkcs8.AES256CBC.Encrypt(secretKey, iv, der)
		check(t, err)
		oid := asn1.ObjectIdentifier{1, 2, 840, 113549, 2, last}
		encrypted := pbes2(t, parameters{salt, 2048, pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.NullRawValue}}, iv, data)
		got, err := keyfile.Parse(block("ENCRYPTED PRIVATE KEY", encrypted), func() ([]byte, error) { return []byte(secret), nil })
		if err != nil || !key.Equal(got) {
			t.Errorf("%v: %v", hash, err)
		}
	}
}

// akp is the JWK of an ML-DSA key (RFC 9964).
func akp(key *mldsa.PrivateKey) []byte {
	encode := base64.RawURLEncoding.EncodeToString
	return fmt.Appendf(nil, `{"kty": "AKP", "alg": %q, "pub": %q, "priv": %q}`,
		key.PublicKey().Parameters(), encode(key.PublicKey().Bytes()), encode(key.Bytes()))
}

func TestParse(t *testing.T) {
	for kind, key := range keys(t) {
		for form, content := range forms(t, key) {
			asked := false
			got, err := keyfile.Parse(content, func() ([]byte, error) { asked = true; return []byte(secret), nil })
			if err != nil || !key.Equal(got) || asked != (form == "encrypted") {
				t.Errorf("%s as %s: asked %v, %v", kind, form, asked, err)
			}
		}
	}
}

// One Ed25519 key in 64 has base64 that begins like DER: with a byte 0x30.
func TestBase64ThatBeginsLikeDER(t *testing.T) {
	key := ed25519.NewKeyFromSeed(append([]byte{0xd0}, make([]byte, 31)...))
	for form, content := range forms(t, key) {
		got, err := keyfile.Parse(content, func() ([]byte, error) { return []byte(secret), nil })
		if err != nil || !key.Equal(got) {
			t.Errorf("%s: %v", form, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	all := keys(t)
	der, err := x509.MarshalPKCS8PrivateKey(all["EC"])
	check(t, err)
	encrypted, err := pkcs8.MarshalPrivateKey(all["EC"], []byte("another"), nil)
	check(t, err)
	public, err := json.Marshal(jose.JSONWebKey{Key: all["EC"].Public()})
	check(t, err)
	halves := append(bytes.Clone(all["Ed25519"].(ed25519.PrivateKey)[:32]), make([]byte, 32)...)
	_, other, _ := bytes.Cut(akp(all["ML-DSA"].(*mldsa.PrivateKey)), []byte(`"priv"`))
	strange, _, _ := bytes.Cut(akp(keys(t)["ML-DSA"].(*mldsa.PrivateKey)), []byte(`"priv"`))
	//lint:ignore SA1019 nobody should make such a key, but its file can be read
	threePrimes, err := rsa.GenerateMultiPrimeKey(rand.Reader, 3, 2048)
	check(t, err)
	for name, test := range map[string]struct {
		content []byte
		kind    error
		says    string
	}{
		"three primes":   {block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(threePrimes)), keyfile.ErrFormat, "3 primes"},
		"nothing":        {nil, keyfile.ErrFormat, "empty"},
		"a certificate":  {block("CERTIFICATE", der), keyfile.ErrFormat, "no PEM block"},
		"two keys":       {append(block("PRIVATE KEY", der), block("PRIVATE KEY", der)...), keyfile.ErrFormat, "two"},
		"damaged":        {block("PRIVATE KEY", der[:20]), keyfile.ErrFormat, "damaged"},
		"passphrase":     {block("ENCRYPTED PRIVATE KEY", encrypted), keyfile.ErrPassphrase, "openssl pkcs8"},
		"old encryption": {[]byte("-----BEGIN EC PRIVATE KEY-----\nDEK-Info: AES-128-CBC,00\n\nAAAA\n-----END EC PRIVATE KEY-----\n"), keyfile.ErrFormat, "openssl pkcs8"},
		"OpenSSH":        {block("OPENSSH PRIVATE KEY", der), keyfile.ErrFormat, "ssh-keygen"},
		"a public JWK":   {public, keyfile.ErrFormat, "public half"},
		"a JWK set":      {[]byte(`{"keys": []}`), keyfile.ErrFormat, "one JWK"},
		"other JSON":     {[]byte(`{"type": "service_account"}`), keyfile.ErrFormat, "neither"},
		"not JSON":       {[]byte(`{"privateKey": `), keyfile.ErrFormat, "damaged"},
		"wrong halves":   {[]byte(base64.StdEncoding.EncodeToString(halves)), keyfile.ErrFormat, "don't belong together"},
		"wrong ML-DSA":   {slices.Concat(strange, []byte(`"priv"`), other), keyfile.ErrFormat, "don't belong together"},
		"a public AKP":   {append(strange, `"x": 1}`...), keyfile.ErrFormat, "public half"},
		"unknown AKP":    {[]byte(`{"kty": "AKP", "alg": "ML-DSA-1", "pub": "", "priv": ""}`), keyfile.ErrFormat, "alg"},
		"text":           {[]byte("hello"), keyfile.ErrFormat, "neither"},
	} {
		key, err := keyfile.Parse(test.content, func() ([]byte, error) { return []byte(secret), nil })
		if key != nil || !errors.Is(err, test.kind) || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, mode os.FileMode, size int) string {
		path := filepath.Join(dir, name)
		check(t, os.WriteFile(path, make([]byte, size), 0o600))
		check(t, os.Chmod(path, mode))
		return path
	}
	fifo := filepath.Join(dir, "fifo")
	check(t, syscall.Mkfifo(fifo, 0o600))
	for path, says := range map[string]string{
		write("open", 0o644, 10): "chmod 600", write("group", 0o640, 10): "chmod 600", write("large", 0o600, 1<<20): "larger",
		fifo: "regular", dir: "regular", filepath.Join(dir, "none"): "no such file",
	} {
		if content, err := keyfile.Read(path); content != nil || !errors.Is(err, keyfile.ErrFile) || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if content, err := keyfile.Read(write("good", 0o600, 10)); err != nil || len(content) != 10 {
		t.Errorf("%d bytes, %v", len(content), err)
	}
}

func TestWipe(t *testing.T) {
	for kind, key := range keys(t) {
		keyfile.Wipe(key)
		switch key := key.(type) {
		case *rsa.PrivateKey:
			if key.D.Sign() != 0 || key.Primes[0].Sign() != 0 {
				t.Errorf("%s is left", kind)
			}
		case ed25519.PrivateKey:
			if !bytes.Equal(key, make([]byte, len(key))) {
				t.Errorf("%s is left", kind)
			}
		}
	}
}
