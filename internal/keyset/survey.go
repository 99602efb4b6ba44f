package keyset

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/jose"
	"github.com/assertd/assertd/jwks"
)

// Finding is a key pair on the HSM that belongs to a key set, usable or not.
type Finding struct {
	Set     string
	Label   string
	Index   int     // of the pair in the list that was surveyed
	Version Version // as far as it is known if Err is set
	Key     Key     // without a kid if the public key can't be read
	Revoked bool    // the configuration revokes it, so it matters to nobody whether it can be used
	Err     error   // why the pair can't be used; wraps ErrKey
}

// Scheduled reports whether the pair has a place in the schedule of its set: it
// can be used, or it never will be.
func (f Finding) Scheduled() bool { return f.Err == nil || f.Revoked }

// Survey lists every pair that belongs to one of the sets, set by set, as a
// daemon finds them that starts.
func Survey(sets []Set, pairs []Pair) []Finding {
	var all []Finding
	for _, set := range sets {
		found := survey(set, pairs)
		refuseConflicts(set.Name, found, nil)
		all = append(all, found...)
	}
	return all
}

func survey(set Set, pairs []Pair) []Finding {
	var found []Finding
	for i, pair := range pairs {
		created, mine, err := belongs(set, pair)
		if !mine && err == nil {
			continue
		}
		f := Finding{Set: set.Name, Label: pair.Label, Index: i, Version: Version{Label: pair.Label, Created: created, Adopted: set.adopts(pair)}}
		kid, unreadable := set.kid(pair.Public)
		if unreadable == nil {
			f.Version.Kid = kid
			chain := set.chainOf(pair)
			if len(chain) > 0 {
				f.Version.CertifiedFrom = chain[0].NotBefore
			}
			public := jwks.Key{Kid: kid, Alg: set.Alg, Public: pair.Public, Certificates: chain}
			f.Key = Key{Key: public, Set: set.Name, Ref: pair.Ref}
		}
		f.Revoked = kid != "" && slices.Contains(set.Rotation.Revoke, kid)
		if f.Err = err; err == nil {
			f.Err = judge(set, pair, unreadable)
		}
		found = append(found, f)
	}
	return found
}

// kid names a public key: by its JWK thumbprint (RFC 7638), or as
// kube-apiserver would if it had the key in a file.
func (s Set) kid(public crypto.PublicKey) (string, error) {
	kid, err := jwks.Thumbprint(public)
	if err == nil && s.Kubernetes {
		return KubernetesKid(public)
	}
	return kid, err
}

// judge returns why a pair that belongs to the set can't be one of its
// versions.
func judge(set Set, pair Pair, unreadable error) error {
	refuse := func(err error) error {
		return fmt.Errorf("%w: %q of key set %q: %w", ErrKey, pair.Label, set.Name, err)
	}
	if pair.Problem != "" {
		return refuse(errors.New(pair.Problem))
	}
	if pair.Imported && !set.AcceptImported {
		return refuse(fmt.Errorf("it was outside the HSM before, or the HSM doesn't report CKA_LOCAL, CKA_ALWAYS_SENSITIVE and "+
			"CKA_NEVER_EXTRACTABLE as true; generate a new key, or accept the risk with keys.%s.accept: imported", set.Name))
	}
	if a, err := jose.Lookup(set.Alg); err != nil || !a.Fits(pair.Public) {
		return refuse(fmt.Errorf("it can't sign %s; change alg, or generate a key for %[1]s", set.Alg))
	}
	if key, ok := pair.Public.(*rsa.PublicKey); ok && key.N.BitLen() < jwks.MinRSABits {
		return refuse(fmt.Errorf("%w: it is RSA-%d, and the minimum is %d bits; generate a new key", jwks.ErrWeakKey, key.N.BitLen(), jwks.MinRSABits))
	}
	if unreadable != nil {
		return refuse(unreadable)
	}
	return nil
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
	return s.adoptsOne() &&
		(s.Label == "" || s.Label == pair.Label) &&
		(len(s.ID) == 0 || bytes.Equal(s.ID, pair.ID))
}

func (s Set) adoptsOne() bool { return s.Label != "" || len(s.ID) > 0 }

// adopted describes the pair that the set adopts.
func (s Set) adopted() string {
	switch {
	case len(s.ID) == 0:
		return fmt.Sprintf("the label %q", s.Label)
	case s.Label == "":
		return fmt.Sprintf("the id %x", s.ID)
	}
	return fmt.Sprintf("the label %q and the id %x", s.Label, s.ID)
}
