// Package jwks publishes the public halves of the signing keys. It names a key
// (RFC 7638), encodes and parses sets of keys (RFC 7517), serves them over
// HTTP, and writes them to a file. Package keyset decides which keys are in a
// set.
//
// The package holds no private key and can't reach the HSM: callers pass public
// keys, and a value that could sign is refused (ErrPrivateKey). Only Publisher,
// Publication and TLSCertificate use the clock or do I/O.
package jwks
