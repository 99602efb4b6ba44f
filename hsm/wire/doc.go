// Package wire is the protocol between the pool in assertd's front process and
// the worker processes that run the PKCS#11 module: frames, requests, replies
// and the errors that cross between them. PROTOCOL.md describes the bytes.
//
// Both sides run the same binary, so the protocol has a version but no
// negotiation. Neither side trusts the other's lengths: a module that corrupts
// its process must not take the front with it.
package wire
