// Package jose is the one table of JOSE algorithms that assertd knows (RFC 7518
// section 3, RFC 8037, RFC 9864, RFC 9964): the kind of key each signs with,
// its hash, and how its signature looks in a JWS. Add an algorithm here.
//
// It holds no keys and makes no signatures. Signatures come and go as
// crypto.Signer has them (ECDSA in ASN.1 DER), since that is what HSMs and TLS
// speak; [Algorithm.Signature] brings one into JWS form, and [Verify] is the
// only place where a signature is verified.
package jose
