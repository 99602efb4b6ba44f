// Package mldsakey reads and writes the private keys of ML-DSA (FIPS 204) as
// PKCS #8 (RFC 9881 section 6). Package filippo.io/mldsa, which signs and
// verifies, knows a private key only as its seed. OpenSSL's files and PKCS #11
// have the expanded key too.
package mldsakey
