// Package jwks is everything about the public halves of the signing keys: what
// a key is called (RFC 7638), what a set of them looks like to a receiver
// (RFC 7517), which version of a key signs at a given moment, and how the set
// is served over HTTP and written to a file.
//
// It holds no private key and has no way to the HSM: a caller hands it public
// keys, and a value that could sign is refused (ErrPrivateKey). Apart from
// Publisher, Certificate and WriteFile the package is pure: no clock, no I/O,
// no randomness.
package jwks
