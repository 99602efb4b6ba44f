package keyfile

import (
	"bytes"
	"crypto"
	"crypto/pbkdf2"
	_ "crypto/sha1" // the hashes of prfs
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"

	"github.com/youmark/pkcs8"
)

// encryptedInfo is an EncryptedPrivateKeyInfo (RFC 5958 section 3).
type encryptedInfo struct {
	Scheme pkix.AlgorithmIdentifier
	Data   []byte
}

// pbes2 has the parameters of PBES2 (RFC 8018 appendix A.4).
type pbes2 struct{ Derivation, Cipher pkix.AlgorithmIdentifier }

// pbkdf2Parameters are those of PBKDF2 (RFC 8018 appendix A.2). Without a PRF
// it is HMAC with SHA-1.
type pbkdf2Parameters struct {
	Salt       []byte
	Iterations int
	Length     int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// scrypt has the parameters of scrypt (RFC 7914 section 7).
type scrypt struct {
	Salt    []byte
	N, R, P int
	Length  int `asn1:"optional"`
}

// A file must not make the command work for minutes, or take all memory.
const (
	maxIterations = 10_000_000
	maxScrypt     = 1 << 24 // of N times R times P: 2 GiB at most
)

var (
	oidPBES2  = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2 = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidScrypt = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 11591, 4, 11}
	oidDigest = asn1.ObjectIdentifier{1, 2, 840, 113549, 2}
)

// prfs are the hashes of HMAC by the last number of their OID (RFC 8018
// appendix B.1.2).
var prfs = map[int]crypto.Hash{7: crypto.SHA1, 9: crypto.SHA256, 10: crypto.SHA384, 11: crypto.SHA512}

// ciphers are those in CBC mode, which pad the key.
var ciphers = []pkcs8.Cipher{pkcs8.AES256CBC, pkcs8.AES192CBC, pkcs8.AES128CBC, pkcs8.TripleDESCBC}

var errPBES2 = errors.New("keyfile: the encryption is damaged, or isn't supported")

// decryptPBES2 decrypts a key to PKCS #8. youmark/pkcs8 has the ciphers; its
// own decoder knows no ML-DSA, and panics if the last block is incomplete. A
// wrong passphrase usually shows in the padding.
func decryptPBES2(der, passphrase []byte) ([]byte, error) {
	var info encryptedInfo
	var scheme pbes2
	if err := decode(der, &info); err != nil || !info.Scheme.Algorithm.Equal(oidPBES2) {
		return nil, errPBES2
	}
	if err := decode(info.Scheme.Parameters.FullBytes, &scheme); err != nil {
		return nil, errPBES2
	}
	for _, cipher := range ciphers {
		if !cipher.OID().Equal(scheme.Cipher.Algorithm) {
			continue
		}
		var iv []byte
		if decode(scheme.Cipher.Parameters.FullBytes, &iv) != nil || len(iv) != cipher.IVSize() ||
			len(info.Data) == 0 || len(info.Data)%cipher.IVSize() != 0 {
			return nil, errPBES2
		}
		key, err := derive(scheme.Derivation, passphrase, cipher.KeySize())
		if err != nil {
			return nil, err
		}
		defer clear(key)
		plain, err := cipher.Decrypt(key, iv, info.Data)
		if err != nil {
			return nil, err
		}
		return unpad(plain, cipher.IVSize())
	}
	return nil, errPBES2
}

// decode is asn1.Unmarshal without trailing bytes.
func decode(der []byte, into any) error {
	rest, err := asn1.Unmarshal(der, into)
	if err == nil && len(rest) > 0 {
		err = errPBES2
	}
	return err
}

func derive(how pkix.AlgorithmIdentifier, passphrase []byte, size int) (key []byte, err error) {
	switch parameters := how.Parameters.FullBytes; {
	case how.Algorithm.Equal(oidPBKDF2):
		var p pbkdf2Parameters
		if decode(parameters, &p) != nil || p.Iterations < 1 || p.Iterations > maxIterations {
			return nil, errPBES2
		}
		hash, known := prf(p.PRF.Algorithm)
		if !known {
			return nil, errPBES2
		}
		key, err = pbkdf2.Key(hash.New, string(passphrase), p.Salt, p.Iterations, size)
	case how.Algorithm.Equal(oidScrypt):
		var p scrypt
		if decode(parameters, &p) != nil || min(p.N, p.R, p.P) < 1 || p.N > maxScrypt || max(p.R, p.P) > 1<<10 || p.N*p.R*p.P > maxScrypt {
			return nil, errPBES2
		}
		key, _, err = pkcs8.ScryptOpts{CostParameter: p.N, BlockSize: p.R, ParallelizationParameter: p.P}.DeriveKey(passphrase, p.Salt, size)
	default:
		err = errPBES2
	}
	return key, err
}

// prf returns the hash of an HMAC, SHA-1 where none is named.
func prf(oid asn1.ObjectIdentifier) (hash crypto.Hash, known bool) {
	if len(oid) == 0 {
		return crypto.SHA1, true
	}
	last := len(oid) - 1
	hash, known = prfs[oid[last]]
	return hash, known && oid[:last].Equal(oidDigest)
}

// unpad cuts the padding (RFC 8018 section 6.1.1) and clears what it refuses.
func unpad(plain []byte, block int) ([]byte, error) {
	n := int(plain[len(plain)-1])
	if n < 1 || n > block || !bytes.Equal(plain[len(plain)-n:], bytes.Repeat([]byte{byte(n)}, n)) {
		clear(plain)
		return nil, errPBES2
	}
	return plain[:len(plain)-n], nil
}
