package keyset

import (
	"errors"
	"fmt"
	"time"
)

// waiting implements R8: for each live version, whether it waits for its
// certificate. It doesn't depend on which versions have started, so that time
// only moves versions forward.
func (c calendar) waiting() []bool {
	waits, certified := make([]bool, len(c.live)), false
	for i, v := range c.live {
		waits[i] = c.NeedsCertificate && certified
		certified = certified || !v.CertifiedFrom.IsZero() && (!c.Manual || c.activated(v))
	}
	return waits
}

// held reports whether a version still waits for its certificate.
func (c calendar) held(i int) bool { return c.waits[i] && !c.certified(c.live[i]) }

// certified reports whether a version has the certificate that it needs now.
func (c calendar) certified(v Version) bool {
	return !c.NeedsCertificate || !v.CertifiedFrom.IsZero() && !v.CertifiedFrom.After(c.now)
}

// ErrUncertified is a version that a profile refuses to sign with.
var ErrUncertified = errors.New("a grant's profile needs a certificate, and this version has none that is valid now; " +
	"get one with assertd key csr and assertd key import-cert")

// Uncertified returns an error for each version that signs, or will, without
// the certificate that it needs. Each wraps ErrUncertified.
func (r *Ring) Uncertified() (problems []error) {
	for _, set := range r.Sets() {
		plan, _ := r.Plan(set.Name)
		for _, v := range plan.Versions {
			if v.Uncertified {
				problems = append(problems, fmt.Errorf("key %s of key set %q: %w", v.Kid, set.Name, ErrUncertified))
			}
		}
	}
	return problems
}

// tookOver is when a version started, going by the time alone: R1 with R8.
func (c calendar) tookOver(i int) time.Time {
	if !c.waits[i] {
		return c.starts(i)
	}
	return later(c.starts(i), c.live[i].CertifiedFrom)
}

// Past is what a running daemon knows about the versions of a key set, and what
// labels, settings and the clock don't say. The daemon's restart loses it.
type Past struct {
	// Dropped holds kids of versions that left the JWKS, and that the schedule
	// would have sign again. Receivers no longer have them.
	Dropped map[string]bool
	// Expires says when the last assertion of a version expires that it signed
	// before a change of the configuration or the tokens: one that replaced the
	// version ahead of time or late, or that made AssertionLife shorter. R4 counts
	// from then.
	Expires map[string]time.Time
}
