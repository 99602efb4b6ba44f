package trustpath

import "crypto/tls"

// MaxPEM is the maximum size of a PEM file, in bytes: room for every authority
// of an operating system.
const MaxPEM = 4 << 20

// KeyPair reads a certificate, followed by its issuers, and its private key,
// which others can't read, from PEM files. Its errors have no key material.
func (r Rules) KeyPair(certificate, key string) (tls.Certificate, error) {
	public, err := r.Read(certificate, File, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	private, err := r.Read(key, Secret, MaxPEM)
	if err != nil {
		return tls.Certificate{}, err
	}
	defer clear(private)
	return tls.X509KeyPair(public, private)
}
