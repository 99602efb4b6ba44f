package jose

import "crypto"

// HashNone names no hash at all: what is signed is the message itself, as
// Ed25519 takes it (RFC 8032).
const HashNone = "none"

// hashes are named as crypto.Hash.String names them.
var hashes = map[string]crypto.Hash{
	crypto.SHA256.String(): crypto.SHA256,
	crypto.SHA384.String(): crypto.SHA384,
	crypto.SHA512.String(): crypto.SHA512,
	HashNone:               0,
}

// HashByName finds a hash by the name that raw signatures use: SHA-256, SHA-384,
// SHA-512 or none, which is 0.
func HashByName(name string) (hash crypto.Hash, ok bool) {
	hash, ok = hashes[name]
	return hash, ok
}

// HashName is the name of the algorithm's hash, as HashByName reads it.
func (a Algorithm) HashName() string {
	if a.Hash == 0 {
		return HashNone
	}
	return a.Hash.String()
}

// KnownHash reports whether any algorithm or raw signature uses the hash.
func KnownHash(hash crypto.Hash) bool {
	return hash == crypto.SHA256 || hash == crypto.SHA384 || hash == crypto.SHA512
}
