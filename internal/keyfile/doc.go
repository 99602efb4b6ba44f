// Package keyfile reads private keys that somebody else made: GitHub, Apple and
// Coinbase hand out keys as files. It takes PEM (PKCS #1, SEC 1, PKCS #8,
// encrypted PKCS #8), PKCS #8 in DER, a JWK, and the forms of Coinbase. Keys
// are RSA, EC, Ed25519 or ML-DSA.
//
// A key that was in a file has been outside the HSM for good, so this is only
// for receivers that leave no choice. Nothing here logs or prints key material.
package keyfile
