package hsm

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
)

// A PINDigest tells whether two PINs are the same without being one: an
// HMAC-SHA-256 under a DigestKey. PINs are short, so with the key it can be
// guessed: keep both in memory, never on disk or in a log.
type PINDigest [sha256.Size]byte

// DigestKey is the key of PINDigests. Those of different keys can't be
// compared.
type DigestKey [sha256.Size]byte

// NewDigestKey returns a random key.
func NewDigestKey() (key DigestKey) {
	_, _ = rand.Read(key[:]) // never fails
	return key
}

// Digest returns the PIN's digest.
func (p *PIN) Digest(key DigestKey) (digest PINDigest) {
	mac := hmac.New(sha256.New, key[:])
	if !p.empty() {
		mac.Write(*p.secret())
	}
	mac.Sum(digest[:0])
	return digest
}

// RefusedPIN is a refusal with the digest of the PIN that the token refused.
type RefusedPIN struct {
	Digest PINDigest
	Cause  error
}

// Error is the cause's.
func (e *RefusedPIN) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *RefusedPIN) Unwrap() error { return e.Cause }
