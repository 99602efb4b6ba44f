package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"slices"

	"github.com/assertd/assertd/ipc"
)

// scheme is a TLS signature scheme and what it asks of the daemon.
type scheme struct {
	scheme        tls.SignatureScheme
	hash, padding string
}

// In the order of preference: TLS 1.3 takes PSS alone (RFC 8446 section 4.2.3).
var rsaSchemes = []scheme{
	{tls.PSSWithSHA256, ipc.HashSHA256, ipc.PaddingPSS},
	{tls.PSSWithSHA384, ipc.HashSHA384, ipc.PaddingPSS},
	{tls.PSSWithSHA512, ipc.HashSHA512, ipc.PaddingPSS},
	{tls.PKCS1WithSHA256, ipc.HashSHA256, ipc.PaddingPKCS1v15},
	{tls.PKCS1WithSHA384, ipc.HashSHA384, ipc.PaddingPKCS1v15},
	{tls.PKCS1WithSHA512, ipc.HashSHA512, ipc.PaddingPKCS1v15},
}

// TLS 1.2 reads these as ECDSA on any curve with the hash (RFC 8446 section 4.2.3).
var ecdsaSchemes = []scheme{
	{tls.ECDSAWithP256AndSHA256, ipc.HashSHA256, ""},
	{tls.ECDSAWithP384AndSHA384, ipc.HashSHA384, ""},
	{tls.ECDSAWithP521AndSHA512, ipc.HashSHA512, ""},
}

// schemes are the signature schemes that the daemon would sign with the key.
// Without the list crypto/tls may choose one that is then refused. Ed25519 has
// one scheme, for which nil stands.
func schemes(info ipc.KeyInfo, public crypto.PublicKey) []tls.SignatureScheme {
	var of []scheme
	switch public.(type) {
	case *rsa.PublicKey:
		of = rsaSchemes
	case *ecdsa.PublicKey:
		of = ecdsaSchemes
	}
	var all []tls.SignatureScheme
	for _, s := range of {
		if slices.Contains(info.Hashes, s.hash) && (s.padding == "" || slices.Contains(info.Paddings, s.padding)) {
			all = append(all, s.scheme)
		}
	}
	return all
}
