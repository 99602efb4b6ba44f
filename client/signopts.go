package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"

	"github.com/assertd/assertd/ipc"
)

// ErrSignOptions means that a Signer was asked for what its key can't sign:
// another hash, another salt length, a digest of the wrong length.
var ErrSignOptions = errors.New("this can't be signed")

// hashNames are the hashes that the daemon knows.
var hashNames = map[crypto.Hash]string{
	crypto.SHA256: ipc.HashSHA256, crypto.SHA384: ipc.HashSHA384, crypto.SHA512: ipc.HashSHA512,
}

// signRequest says in the API's words what crypto.Signer was asked for.
func signRequest(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	switch public.(type) {
	case ed25519.PublicKey:
		return messageRequest(digest, opts)
	case *ecdsa.PublicKey:
		return digestRequest(digest, opts)
	case *rsa.PublicKey:
		req, err := digestRequest(digest, opts)
		if err == nil {
			req.Padding, err = paddingOf(opts)
		}
		return req, err
	}
	return ipc.SignRequest{}, fmt.Errorf("%w: keys of type %T are unknown to this version of the client", ErrSignOptions, public)
}

// messageRequest is pure Ed25519 (RFC 8032 section 5.1): neither the variant for
// digests nor the one with a context exists in PKCS #11 modules.
func messageRequest(message []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	if o, ok := opts.(*ed25519.Options); ok && o.Context != "" {
		return ipc.SignRequest{}, fmt.Errorf("%w: Ed25519 with a context; leave the context out", ErrSignOptions)
	}
	if opts.HashFunc() != 0 {
		return ipc.SignRequest{}, fmt.Errorf("%w: an Ed25519 key signs the message itself; pass it with crypto.Hash(0)", ErrSignOptions)
	}
	if len(message) > ipc.MaxMessageBytes {
		return ipc.SignRequest{}, fmt.Errorf("%w: the message has %d bytes, at most %d are signed", ErrSignOptions, len(message), ipc.MaxMessageBytes)
	}
	return ipc.SignRequest{Hash: ipc.HashNone, Digest: message}, nil
}

func digestRequest(digest []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	hash := opts.HashFunc()
	name, ok := hashNames[hash]
	if !ok {
		return ipc.SignRequest{}, fmt.Errorf("%w: the hash %v; use SHA-256, SHA-384 or SHA-512", ErrSignOptions, hash)
	}
	if len(digest) != hash.Size() {
		return ipc.SignRequest{}, fmt.Errorf("%w: a %s digest has %d bytes, this one has %d", ErrSignOptions, name, hash.Size(), len(digest))
	}
	return ipc.SignRequest{Hash: name, Digest: digest}, nil
}

// paddingOf takes any *rsa.PSSOptions whose salt can be as long as the hash, as
// TLS (RFC 8446 section 4.2.3) and JOSE (RFC 7518 section 3.5) want it. Auto,
// which go-jose passes, leaves the length to the signer. The hash is a known one.
func paddingOf(opts crypto.SignerOpts) (string, error) {
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return ipc.PaddingPKCS1v15, nil
	}
	switch pss.SaltLength {
	case rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, pss.HashFunc().Size():
		return ipc.PaddingPSS, nil
	}
	return "", fmt.Errorf("%w: a PSS salt of %d bytes; use rsa.PSSSaltLengthEqualsHash", ErrSignOptions, pss.SaltLength)
}
