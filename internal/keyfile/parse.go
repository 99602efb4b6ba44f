package keyfile

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"github.com/assertd/assertd/internal/mldsakey"
)

// Errors of Parse.
var (
	// ErrFormat: the file has no private key in a form that this package knows.
	ErrFormat = errors.New("not a private key")
	// ErrPassphrase: the file is encrypted, and the passphrase doesn't open it.
	ErrPassphrase = errors.New("the passphrase doesn't open the key")
)

// Parse reads the one private key in a file: *rsa.PrivateKey,
// *ecdsa.PrivateKey, ed25519.PrivateKey or *mldsa.PrivateKey. It asks for the
// passphrase only if the file is encrypted, and clears what it got. Errors
// contain nothing of the file.
func Parse(content []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	text := bytes.TrimSpace(content)
	switch {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: the file is empty", ErrFormat)
	case text[0] == '{':
		return parseJSON(text, passphrase)
	case bytes.Contains(text, []byte("-----BEGIN ")):
		return parsePEM(text, passphrase)
	case isDER(text):
		return parsePKCS8(content)
	}
	return parseCoinbaseSecret(text)
}

// isDER tells a SEQUENCE, whose tag is also the digit 0, from base64 that
// begins with that digit: the version's tag, INTEGER, is never part of text.
func isDER(content []byte) bool {
	return content[0] == 0x30 && bytes.IndexByte(content, 0x02) > 0
}

// parsePEM takes exactly one private key. Other blocks, such as EC PARAMETERS
// and certificates, may stand around it.
func parsePEM(text []byte, passphrase func() ([]byte, error)) (key crypto.Signer, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		next, err := parseBlock(block, passphrase)
		clear(block.Bytes)
		switch {
		case err != nil:
			return nil, err
		case next != nil && key != nil:
			return nil, fmt.Errorf("%w: the file has two; give a file with one", ErrFormat)
		case next != nil:
			key = next
		}
	}
	if key == nil {
		return nil, fmt.Errorf("%w: no PEM block of the file is one; give the file with PRIVATE KEY in its first line", ErrFormat)
	}
	return key, nil
}

func parseBlock(block *pem.Block, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	if block.Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("%w: its old PEM encryption is insecure; convert it with openssl pkcs8 -topk8", ErrFormat)
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return supported(x509.ParsePKCS1PrivateKey(block.Bytes))
	case "EC PRIVATE KEY":
		return supported(x509.ParseECPrivateKey(block.Bytes))
	case "PRIVATE KEY":
		return parsePKCS8(block.Bytes)
	case "ENCRYPTED PRIVATE KEY":
		return decrypt(block.Bytes, passphrase)
	case "OPENSSH PRIVATE KEY":
		return nil, fmt.Errorf("%w: OpenSSH's own format isn't supported; convert it with ssh-keygen -p -m PKCS8", ErrFormat)
	}
	return nil, nil
}

func parsePKCS8(der []byte) (crypto.Signer, error) {
	key, err := mldsakey.ParsePKCS8(der)
	switch {
	case errors.Is(err, mldsakey.ErrOtherType):
		return supported(x509.ParsePKCS8PrivateKey(der))
	case errors.Is(err, mldsakey.ErrNoSeed):
		return nil, fmt.Errorf("%w: the ML-DSA key lacks its seed; export it with the seed, such as with openssl pkey -provparam ml-dsa.output_formats=seed-priv",
			ErrFormat)
	case err != nil:
		return nil, fmt.Errorf("%w: the ML-DSA key is damaged", ErrFormat)
	}
	return key, nil
}

func decrypt(der []byte, passphrase func() ([]byte, error)) (crypto.Signer, error) {
	secret, err := passphrase()
	defer clear(secret)
	if err != nil {
		return nil, err
	}
	plain, err := decryptPBES2(der, secret)
	if err != nil {
		return nil, wrongPassphrase()
	}
	defer clear(plain)
	key, err := parsePKCS8(plain)
	if err != nil { // its text may depend on what was decrypted
		return nil, wrongPassphrase()
	}
	return key, nil
}

func wrongPassphrase() error {
	return fmt.Errorf("%w, or its encryption isn't PBES2 (RFC 8018) with AES or 3DES in CBC mode; "+
		"convert it with openssl pkcs8 -topk8 -v2 aes-256-cbc", ErrPassphrase)
}

// supported accepts the types that assertd signs with. It hides the parser's
// error, which may quote the file.
func supported(key any, err error) (crypto.Signer, error) {
	if err != nil {
		return nil, fmt.Errorf("%w: its encoding is damaged, or of a type that isn't supported; RSA, EC, Ed25519 and ML-DSA are", ErrFormat)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if err := key.Validate(); err != nil {
			return nil, fmt.Errorf("%w: the RSA key is inconsistent", ErrFormat)
		}
		if n := len(key.Primes); n != 2 { // PKCS#11 has attributes for two
			return nil, fmt.Errorf("%w: an RSA key of %d primes isn't supported; get one of two primes", ErrFormat, n)
		}
		return key, nil
	case *ecdsa.PrivateKey:
		return key, nil
	case ed25519.PrivateKey:
		return key, nil
	}
	return nil, fmt.Errorf("%w: keys of type %T aren't supported; RSA, EC, Ed25519 and ML-DSA are", ErrFormat, key)
}
