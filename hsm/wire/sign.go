package wire

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/jose"
)

// scheme says how the key signs, where its type leaves a choice.
type scheme uint8

const (
	schemeKey scheme = 0 // ECDSA, Ed25519, ML-DSA, RSA with PKCS #1 v1.5
	schemePSS scheme = 1 // RSA-PSS, salt as long as the hash

	// withMessage is set if the payload has the message and not its digest.
	withMessage scheme = 0x80
)

// SignRequest is the payload of KindSign.
type SignRequest struct {
	Key    KeyRef
	Digest []byte
	// Message is what crosses if it isn't nil, for a token that hashes messages.
	Message []byte

	hash   crypto.Hash
	scheme scheme
}

const (
	signFixed  = sha256.Size + 2
	maxMessage = 64 << 10 // of a message that is signed whole; a digest is 64 bytes at most
)

// NewSignRequest takes the arguments of a crypto.Signer and refuses with
// hsm.ErrAlgorithm what would only fail, or mean something else, in the worker.
// It leaves out the message of a jose.WithMessage: see Hashed.
func NewSignRequest(key KeyRef, digest []byte, opts crypto.SignerOpts) (SignRequest, error) {
	if with, ok := opts.(jose.WithMessage); ok {
		opts = with.SignerOpts
	}
	if opts == nil {
		opts = crypto.Hash(0)
	}
	r := SignRequest{Key: key, Digest: digest, hash: opts.HashFunc()}
	switch o := opts.(type) {
	case *rsa.PSSOptions:
		r.scheme = schemePSS
		if o.SaltLength != rsa.PSSSaltLengthEqualsHash && o.SaltLength != r.hash.Size() {
			return SignRequest{}, fmt.Errorf("%w: RSA-PSS with a salt of %d bytes; use rsa.PSSSaltLengthEqualsHash", hsm.ErrAlgorithm, o.SaltLength)
		}
	case crypto.Hash:
	default:
		return SignRequest{}, fmt.Errorf("%w: options of type %T; use a crypto.Hash or *rsa.PSSOptions", hsm.ErrAlgorithm, opts)
	}
	return r, r.check()
}

// Hashed is the request with the message from its options, if they have one,
// for a key whose token hashes messages (KeyInfo.Hashes).
func (r SignRequest) Hashed(opts crypto.SignerOpts) SignRequest {
	if with, ok := opts.(jose.WithMessage); ok && r.hash != 0 && len(with.Message) <= maxMessage {
		r.Message = with.Message
	}
	return r
}

func (r SignRequest) check() error {
	switch {
	case r.scheme > schemePSS:
		return fmt.Errorf("%w: scheme %d", hsm.ErrAlgorithm, r.scheme)
	case r.hash == 0 && r.scheme == schemePSS:
		return fmt.Errorf("%w: RSA-PSS without a hash", hsm.ErrAlgorithm)
	case r.hash != 0 && !jose.KnownHash(r.hash):
		return fmt.Errorf("%w: hash %d", hsm.ErrAlgorithm, r.hash)
	case r.hash == 0 && r.Message != nil:
		return fmt.Errorf("%w: a message without a hash", hsm.ErrAlgorithm)
	case r.hash != 0 && r.Message == nil && len(r.Digest) != r.hash.Size():
		return fmt.Errorf("%w: a digest of %d bytes isn't one of %v", hsm.ErrAlgorithm, len(r.Digest), r.hash)
	case max(len(r.Digest), len(r.Message)) > maxMessage:
		return fmt.Errorf("%w: a message of %d bytes; the limit is %d", hsm.ErrAlgorithm, max(len(r.Digest), len(r.Message)), maxMessage)
	}
	return nil
}

// Opts returns the request's options as hsm.Key takes them.
func (r SignRequest) Opts() crypto.SignerOpts {
	if r.scheme == schemePSS {
		return jose.PSS(r.hash)
	}
	return r.hash
}

// AppendFrame implements Message.
func (r SignRequest) AppendFrame(dst []byte, id uint32) []byte {
	if r.Message != nil {
		how := [2]byte{byte(r.hash), byte(r.scheme | withMessage)}
		return AppendFrame(dst, KindSign, id, r.Key[:], how[:], r.Message)
	}
	how := [2]byte{byte(r.hash), byte(r.scheme)}
	return AppendFrame(dst, KindSign, id, r.Key[:], how[:], r.Digest)
}

// ParseSignRequest parses a payload. The digest or message that it returns
// aliases the payload.
func ParseSignRequest(payload []byte) (SignRequest, error) {
	if len(payload) < signFixed {
		return SignRequest{}, Malformed("a sign request of %d bytes", len(payload))
	}
	r := SignRequest{
		Key:    KeyRef(payload),
		Digest: payload[signFixed:],
		hash:   crypto.Hash(payload[sha256.Size]),
		scheme: scheme(payload[sha256.Size+1]) &^ withMessage,
	}
	if scheme(payload[sha256.Size+1])&withMessage != 0 {
		r.Digest, r.Message = nil, r.Digest
	}
	return r, r.check()
}

// SignReply is the payload of KindSignature.
type SignReply struct {
	Wait, Module time.Duration // in the worker for a session, and in the module
	Signature    []byte        // as crypto.Signer returns it
}

const (
	replyFixed = 16
	// maxSignature is the longest signature accepted from a worker, in bytes;
	// ML-DSA-87 makes 4,627.
	maxSignature = 8192
)

// AppendFrame implements Message.
func (r SignReply) AppendFrame(dst []byte, id uint32) []byte {
	var times [replyFixed]byte
	binary.BigEndian.PutUint64(times[:], uint64(r.Wait))
	binary.BigEndian.PutUint64(times[8:], uint64(r.Module))
	return AppendFrame(dst, KindSignature, id, times[:], r.Signature)
}

// ParseSignReply parses a payload. The signature it returns aliases the
// payload.
func ParseSignReply(payload []byte) (SignReply, error) {
	if len(payload) <= replyFixed || len(payload) > replyFixed+maxSignature {
		return SignReply{}, Malformed("a signature reply of %d bytes", len(payload))
	}
	r := SignReply{
		Wait:      time.Duration(binary.BigEndian.Uint64(payload)),
		Module:    time.Duration(binary.BigEndian.Uint64(payload[8:])),
		Signature: payload[replyFixed:],
	}
	if r.Wait < 0 || r.Module < 0 {
		return SignReply{}, Malformed("a negative duration")
	}
	return r, nil
}
