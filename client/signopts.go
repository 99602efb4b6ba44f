package client

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"

	"filippo.io/mldsa"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/ipc"
)

// ErrSignOptions means that the key of a Signer can't sign what it was given:
// an unsupported hash or salt length, or a digest of the wrong length.
var ErrSignOptions = errors.New("cannot sign")

// signRequest translates the arguments of crypto.Signer into an API request.
func signRequest(public crypto.PublicKey, digest []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	if jose.KindOf(public).SignsMessages() {
		return messageRequest(digest, opts)
	}
	switch public.(type) {
	case *ecdsa.PublicKey:
		return digestRequest(digest, opts)
	case *rsa.PublicKey:
		req, err := digestRequest(digest, opts)
		if err == nil {
			req.Padding, err = paddingOf(opts)
		}
		return req, err
	}
	return ipc.SignRequest{}, fmt.Errorf("%w: key type %T is not supported; upgrade the client", ErrSignOptions, public)
}

// messageRequest is for pure Ed25519 (RFC 8032 section 5.1) and ML-DSA without
// a context (FIPS 204). PKCS #11 modules do not implement Ed25519ph and
// Ed25519ctx.
func messageRequest(message []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	if o, ok := opts.(*ed25519.Options); ok && o.Context != "" {
		return ipc.SignRequest{}, fmt.Errorf("%w: Ed25519 with a context is not supported; leave Context empty",
			ErrSignOptions)
	}
	if o, ok := opts.(*mldsa.Options); ok && o.Context != "" {
		return ipc.SignRequest{}, fmt.Errorf("%w: ML-DSA with a context is not supported; leave Context empty", ErrSignOptions)
	}
	if opts.HashFunc() != 0 {
		return ipc.SignRequest{}, fmt.Errorf("%w: the key signs the message itself; pass it with crypto.Hash(0)",
			ErrSignOptions)
	}
	if len(message) == 0 {
		return ipc.SignRequest{}, fmt.Errorf("%w: the message is empty, and the daemon signs at least one byte", ErrSignOptions)
	}
	if len(message) > ipc.MaxMessageBytes {
		return ipc.SignRequest{}, fmt.Errorf("%w: the message has %d bytes; the maximum is %d",
			ErrSignOptions, len(message), ipc.MaxMessageBytes)
	}
	return ipc.SignRequest{Hash: ipc.HashNone, Digest: message}, nil
}

func digestRequest(digest []byte, opts crypto.SignerOpts) (ipc.SignRequest, error) {
	hash := opts.HashFunc()
	if !jose.KnownHash(hash) {
		return ipc.SignRequest{}, fmt.Errorf("%w: hash %v is not supported; use SHA-256, SHA-384 or SHA-512",
			ErrSignOptions, hash)
	}
	if len(digest) != hash.Size() {
		return ipc.SignRequest{}, fmt.Errorf("%w: want a %d-byte %s digest, got %d bytes",
			ErrSignOptions, hash.Size(), hash, len(digest))
	}
	return ipc.SignRequest{Hash: hash.String(), Digest: digest}, nil
}

// paddingOf accepts a PSS salt only as long as the hash, which TLS (RFC 8446
// section 4.2.3) and JOSE (RFC 7518 section 3.5) require. go-jose passes
// PSSSaltLengthAuto, which leaves the length to the signer.
func paddingOf(opts crypto.SignerOpts) (string, error) {
	pss, ok := opts.(*rsa.PSSOptions)
	if !ok {
		return ipc.PaddingPKCS1v15, nil
	}
	switch pss.SaltLength {
	case rsa.PSSSaltLengthEqualsHash, rsa.PSSSaltLengthAuto, pss.HashFunc().Size():
		return ipc.PaddingPSS, nil
	}
	return "", fmt.Errorf("%w: PSS salt length %d is not supported; use rsa.PSSSaltLengthEqualsHash",
		ErrSignOptions, pss.SaltLength)
}
