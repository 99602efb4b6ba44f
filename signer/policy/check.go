package policy

import (
	"slices"
	"time"
)

// checkAudience returns the audience as configured, never the caller's string.
func (r *rule) checkAudience(requested string) (string, *Refusal) {
	switch {
	case r.NoAudience && requested == "":
		return "", nil
	case r.NoAudience:
		return "", refuse(AudienceNotAllowed, "assertions of grant %q have no audience; leave it out", r.Name)
	case len(r.Audiences) == 0:
		return "", refuse(AudienceNotAllowed, "grant %q lists no audience, so it allows none; ask the administrator of assertd to add one", r.Name)
	case requested == "" && len(r.Audiences) == 1:
		return r.Audiences[0], nil
	case requested == "":
		return "", refuse(AudienceRequired, "grant %q has several audiences; name one of %s", r.Name, enumerate(quoteAll(r.Audiences)))
	}
	if i := slices.Index(r.Audiences, requested); i >= 0 {
		return r.Audiences[i], nil
	}
	return "", refuse(AudienceNotAllowed, "grant %q does not allow audience %q; it is compared byte by byte with %s",
		r.Name, requested, enumerate(quoteAll(r.Audiences)))
}

// checkLifetime returns the lifetime of the assertion. It refuses one that is
// too long instead of shortening it, because the caller relies on what it asked
// for.
func (r *rule) checkLifetime(requested time.Duration) (time.Duration, *Refusal) {
	if requested == 0 {
		return r.DefaultLifetime, nil
	}
	if requested > r.MaxLifetime {
		return 0, refuse(LifetimeNotAllowed, "grant %q allows lifetimes up to %d seconds, not %d; ask for less, or leave it out for %d",
			r.Name, seconds(r.MaxLifetime), seconds(requested), seconds(r.DefaultLifetime))
	}
	return requested, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
