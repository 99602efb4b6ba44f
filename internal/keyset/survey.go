package keyset

import (
	"bytes"
	"crypto/rsa"
	"errors"
	"fmt"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// Finding is a key pair on the HSM that belongs to a key set, usable or not.
type Finding struct {
	Set     string
	Label   string
	Index   int     // of the pair in the list that was surveyed
	Version Version // zero if Err is set
	Key     Key     // zero if Err is set
	Err     error   // why the pair can't be used; wraps ErrKey
}

// Survey lists every pair that belongs to one of the sets, set by set.
func Survey(sets []Set, pairs []Pair) []Finding {
	var found []Finding
	for _, set := range sets {
		found = append(found, survey(set, pairs)...)
	}
	return found
}

func survey(set Set, pairs []Pair) []Finding {
	var found []Finding
	for i, pair := range pairs {
		created, mine, err := belongs(set, pair)
		if !mine && err == nil {
			continue
		}
		f := Finding{Set: set.Name, Label: pair.Label, Index: i, Err: err}
		if err == nil {
			f.Version, f.Key, f.Err = versionOf(set, pair, created)
		}
		found = append(found, f)
	}
	return found
}

// versionOf turns a pair that belongs to the set into a version, or refuses it.
func versionOf(set Set, pair Pair, created time.Time) (Version, Key, error) {
	refuse := func(err error) (Version, Key, error) {
		return Version{}, Key{}, fmt.Errorf("%w: %q of key set %q: %w", ErrKey, pair.Label, set.Name, err)
	}
	if pair.Problem != "" {
		return refuse(errors.New(pair.Problem))
	}
	if a, err := jose.Lookup(set.Alg); err != nil || !a.Fits(pair.Public) {
		return refuse(fmt.Errorf("it can't sign %s; change alg, or generate a key for %[1]s", set.Alg))
	}
	if key, ok := pair.Public.(*rsa.PublicKey); ok && key.N.BitLen() < jwks.MinRSABits {
		return refuse(fmt.Errorf("%w: it is RSA-%d, and the minimum is %d bits; generate a new key", jwks.ErrWeakKey, key.N.BitLen(), jwks.MinRSABits))
	}
	kid, err := jwks.Thumbprint(pair.Public)
	if err != nil {
		return refuse(err)
	}
	public := jwks.Key{Kid: kid, Alg: set.Alg, Public: pair.Public, Certificates: set.chainOf(pair)}
	return Version{Kid: kid, Label: pair.Label, Created: created, Adopted: set.adopts(pair)},
		Key{Key: public, Set: set.Name, Ref: pair.Ref}, nil
}

// belongs reports whether a pair is the set's, by label or by adoption. A label
// with the set's prefix but without a valid time is an error: a typo must not
// silently hide a key.
func belongs(set Set, pair Pair) (created time.Time, mine bool, err error) {
	if set.adopts(pair) {
		return set.Created, true, nil
	}
	prefix := set.Name + "/"
	if len(pair.Label) <= len(prefix) || pair.Label[:len(prefix)] != prefix {
		return time.Time{}, false, nil
	}
	_, created, err = ParseLabel(pair.Label)
	if err != nil {
		return time.Time{}, false, fmt.Errorf("%w: %w", ErrKey, err)
	}
	return created, true, nil
}

// adopts reports whether the configuration names the pair as one of the set's.
func (s Set) adopts(pair Pair) bool {
	return (s.Label != "" || len(s.ID) > 0) &&
		(s.Label == "" || s.Label == pair.Label) &&
		(len(s.ID) == 0 || bytes.Equal(s.ID, pair.ID))
}
