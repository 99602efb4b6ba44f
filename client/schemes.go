package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"slices"

	"github.com/assertd/assertd/ipc"
)

// scheme is a TLS signature scheme and the hash and padding that it needs.
type scheme struct {
	scheme        tls.SignatureScheme
	hash, padding string
}

// In order of preference: TLS 1.3 accepts only PSS (RFC 8446 section 4.2.3).
var rsaSchemes = []scheme{
	{tls.PSSWithSHA256, ipc.HashSHA256, ipc.PaddingPSS},
	{tls.PSSWithSHA384, ipc.HashSHA384, ipc.PaddingPSS},
	{tls.PSSWithSHA512, ipc.HashSHA512, ipc.PaddingPSS},
	{tls.PKCS1WithSHA256, ipc.HashSHA256, ipc.PaddingPKCS1v15},
	{tls.PKCS1WithSHA384, ipc.HashSHA384, ipc.PaddingPKCS1v15},
	{tls.PKCS1WithSHA512, ipc.HashSHA512, ipc.PaddingPKCS1v15},
}

// TLS 1.2 takes these as ECDSA with the hash, on any curve (RFC 8446 section
// 4.2.3).
var ecdsaSchemes = []scheme{
	{tls.ECDSAWithP256AndSHA256, ipc.HashSHA256, ""},
	{tls.ECDSAWithP384AndSHA384, ipc.HashSHA384, ""},
	{tls.ECDSAWithP521AndSHA512, ipc.HashSHA512, ""},
}

// schemes lists the signature schemes that the daemon allows for the key.
// Without the list, crypto/tls may choose one that the daemon then refuses. It
// is nil for Ed25519, which has only one scheme.
func schemes(info ipc.KeyInfo, public crypto.PublicKey) []tls.SignatureScheme {
	var candidates []scheme
	switch public.(type) {
	case *rsa.PublicKey:
		candidates = rsaSchemes
	case *ecdsa.PublicKey:
		candidates = ecdsaSchemes
	}
	var allowed []tls.SignatureScheme
	for _, s := range candidates {
		if slices.Contains(info.Hashes, s.hash) && (s.padding == "" || slices.Contains(info.Paddings, s.padding)) {
			allowed = append(allowed, s.scheme)
		}
	}
	return allowed
}
