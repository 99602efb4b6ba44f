package worker

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// KeyRef names a key pair: the SHA-256 of its public half as a SubjectPublicKeyInfo (RFC 5280 section 4.1). The same pair on two tokens is one key.
type KeyRef [sha256.Size]byte

// RefOf gives the KeyRef of a public key. It fails for keys that crypto/x509 can't encode.
func RefOf(public crypto.PublicKey) (KeyRef, error) {
	spki, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return KeyRef{}, fmt.Errorf("hsm/worker: name the key: %w", err)
	}
	return sha256.Sum256(spki), nil
}

// scheme says how the key signs, where its type leaves a choice.
type scheme uint8

const (
	schemeKey scheme = 0 // ECDSA, Ed25519, RSA with PKCS #1 v1.5
	schemePSS scheme = 1 // RSA-PSS, salt as long as the hash
)

// signRequest is the payload of kindSign.
type signRequest struct {
	key    KeyRef
	hash   crypto.Hash
	scheme scheme
	digest []byte
}

const signFixed = sha256.Size + 2

// newSignRequest takes what a crypto.Signer takes. What could only fail in the worker, or mean something else there, is refused here.
func newSignRequest(key KeyRef, digest []byte, opts crypto.SignerOpts) (signRequest, error) {
	if opts == nil {
		opts = crypto.Hash(0)
	}
	r := signRequest{key: key, hash: opts.HashFunc(), digest: digest}
	switch o := opts.(type) {
	case *rsa.PSSOptions:
		r.scheme = schemePSS
		if o.SaltLength != rsa.PSSSaltLengthEqualsHash && o.SaltLength != r.hash.Size() {
			return signRequest{}, fmt.Errorf("%w: RSA-PSS with a salt of %d; use rsa.PSSSaltLengthEqualsHash", hsm.ErrAlgorithm, o.SaltLength)
		}
	case crypto.Hash:
	default:
		return signRequest{}, fmt.Errorf("%w: options of type %T; use a crypto.Hash or *rsa.PSSOptions", hsm.ErrAlgorithm, opts)
	}
	return r, r.check()
}

func (r signRequest) check() error {
	switch {
	case r.scheme > schemePSS:
		return fmt.Errorf("%w: scheme %d", hsm.ErrAlgorithm, r.scheme)
	case r.hash == 0 && r.scheme == schemePSS:
		return fmt.Errorf("%w: RSA-PSS without a hash", hsm.ErrAlgorithm)
	case r.hash != 0 && !jose.KnownHash(r.hash):
		return fmt.Errorf("%w: hash %d", hsm.ErrAlgorithm, r.hash)
	case r.hash != 0 && len(r.digest) != r.hash.Size():
		return fmt.Errorf("%w: a digest of %d bytes is not one of %v", hsm.ErrAlgorithm, len(r.digest), r.hash)
	case len(r.digest) > maxMessage:
		return fmt.Errorf("%w: a message of %d bytes; %d is the limit", hsm.ErrAlgorithm, len(r.digest), maxMessage)
	}
	return nil
}

// opts are the request's options as hsm.Key takes them.
func (r signRequest) opts() crypto.SignerOpts {
	if r.scheme == schemePSS {
		return &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: r.hash}
	}
	return r.hash
}

func (r signRequest) appendFrame(dst []byte, id uint32) []byte {
	how := [2]byte{byte(r.hash), byte(r.scheme)}
	return appendFrame(dst, kindSign, id, r.key[:], how[:], r.digest)
}

// parseSignRequest reads a payload; the digest it returns is part of it.
func parseSignRequest(payload []byte) (signRequest, error) {
	if len(payload) < signFixed {
		return signRequest{}, fmt.Errorf("%w: a sign request of %d bytes", errFrame, len(payload))
	}
	r := signRequest{
		key:    KeyRef(payload),
		hash:   crypto.Hash(payload[sha256.Size]),
		scheme: scheme(payload[sha256.Size+1]),
		digest: payload[signFixed:],
	}
	return r, r.check()
}

// signReply is the payload of kindSignature: how long the request waited in the worker, how long the module took, and the signature.
type signReply struct {
	wait, module time.Duration
	signature    []byte
}

const (
	replyFixed = 16
	// maxSignature is the longest signature that is taken from a worker, in bytes; RSA-8192 makes 1,024.
	maxSignature = 4096
)

func (r signReply) appendFrame(dst []byte, id uint32) []byte {
	var times [replyFixed]byte
	binary.BigEndian.PutUint64(times[:], uint64(r.wait))
	binary.BigEndian.PutUint64(times[8:], uint64(r.module))
	return appendFrame(dst, kindSignature, id, times[:], r.signature)
}

// parseSignReply reads a payload; the signature it returns is part of it.
func parseSignReply(payload []byte) (signReply, error) {
	if len(payload) <= replyFixed || len(payload) > replyFixed+maxSignature {
		return signReply{}, fmt.Errorf("%w: a signature reply of %d bytes", errFrame, len(payload))
	}
	r := signReply{
		wait:      time.Duration(binary.BigEndian.Uint64(payload)),
		module:    time.Duration(binary.BigEndian.Uint64(payload[8:])),
		signature: payload[replyFixed:],
	}
	if r.wait < 0 || r.module < 0 {
		return signReply{}, fmt.Errorf("%w: a duration is negative", errFrame)
	}
	return r, nil
}
