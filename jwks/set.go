package jwks

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// Set is an immutable set of public keys (RFC 7517 section 5). The zero value
// is the empty set. It is safe for concurrent use.
type Set struct {
	entries []entry // by kid
	foreign int     // keys of a parsed set that assertd never makes
	json    []byte
}

// entry is a key with its wire form. In a parsed set, kid, use and alg can be
// missing.
type entry struct {
	key   Key
	wire  jwk
	index int // position in the input, from 0
}

// NewSet makes the set that receivers get: each key with kid, use "sig" and
// alg, and with x5c and x5t#S256 if it has certificates. It sorts the keys by
// kid, so every daemon publishes the same bytes. It refuses a key that must
// never be published, with a *KeyError that wraps ErrPrivateKey,
// ErrUnsupportedKey, ErrWeakKey, ErrAlgorithm, ErrKid, ErrDuplicateKid,
// ErrCertificateKey or ErrCertificateChain.
func NewSet(keys []Key) (Set, error) {
	entries := make([]entry, 0, len(keys))
	for i, key := range keys {
		wire, err := key.encode()
		if err != nil {
			return Set{}, &KeyError{Index: i, Kid: key.Kid, Err: err}
		}
		key.Certificates = slices.Clone(key.Certificates)
		entries = append(entries, entry{key: key, wire: wire, index: i})
	}
	return newSet(entries, 0)
}

func newSet(entries []entry, foreign int) (Set, error) {
	seen := make(map[string]bool, len(entries))
	for _, e := range entries {
		if e.key.Kid != "" && seen[e.key.Kid] {
			err := fmt.Errorf("%w; give each key its own kid", ErrDuplicateKid)
			return Set{}, &KeyError{Index: e.index, Kid: e.key.Kid, Err: err}
		}
		seen[e.key.Kid] = true
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return cmp.Compare(a.key.Kid, b.key.Kid) })
	document, err := encodeSet(entries)
	return Set{entries: entries, foreign: foreign, json: document}, err
}

func encodeSet(entries []entry) ([]byte, error) {
	document := struct {
		Keys []jwk `json:"keys"`
	}{Keys: make([]jwk, 0, len(entries))}
	for _, e := range entries {
		document.Keys = append(document.Keys, e.wire)
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("encode the JWK set: %w", err)
	}
	return bytes.TrimSuffix(buffer.Bytes(), []byte("\n")), nil
}

// JSON returns the document to publish: compact, with the same bytes for the
// same keys.
func (s Set) JSON() []byte {
	if s.json == nil {
		return []byte(`{"keys":[]}`)
	}
	return bytes.Clone(s.json)
}

// Digest returns the SHA-256 of the document in hex, which is the same on every
// daemon that publishes the same keys.
func (s Set) Digest() string {
	sum := sha256.Sum256(s.JSON())
	return hex.EncodeToString(sum[:])
}

// Keys returns the keys of the set, sorted by kid.
func (s Set) Keys() []Key {
	keys := make([]Key, 0, len(s.entries))
	for _, e := range s.entries {
		key := e.key
		key.Certificates = slices.Clone(key.Certificates)
		keys = append(keys, key)
	}
	return keys
}

// Lookup returns the key with a kid.
func (s Set) Lookup(kid string) (Key, bool) {
	for _, e := range s.entries {
		if e.key.Kid == kid && kid != "" {
			key := e.key
			key.Certificates = slices.Clone(key.Certificates)
			return key, true
		}
	}
	return Key{}, false
}

// Len returns the number of keys in the set.
func (s Set) Len() int { return len(s.entries) }
