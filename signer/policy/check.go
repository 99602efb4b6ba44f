package policy

import (
	"slices"
	"time"
)

// checkAudience returns the audience as configured, never the caller's string.
func (r *rule) checkAudience(asked string) (string, *Refusal) {
	switch {
	case r.NoAudience && asked == "":
		return "", nil
	case r.NoAudience:
		return "", refuse(AudienceNotAllowed, "assertions of grant %q have no audience; leave it out", r.Name)
	case len(r.Audiences) == 0:
		return "", refuse(AudienceNotAllowed, "grant %q lists no audience, so it allows none; ask the administrator of assertd to add one", r.Name)
	case asked == "" && len(r.Audiences) == 1:
		return r.Audiences[0], nil
	case asked == "":
		return "", refuse(AudienceRequired, "grant %q has several audiences; name one of %s", r.Name, enumerate(quoteAll(r.Audiences)))
	}
	if i := slices.Index(r.Audiences, asked); i >= 0 {
		return r.Audiences[i], nil
	}
	return "", refuse(AudienceNotAllowed, "grant %q does not allow audience %q; it is compared byte by byte with %s",
		r.Name, asked, enumerate(quoteAll(r.Audiences)))
}

// checkLifetime returns the lifetime of the assertion. One that is too long is refused rather than cut, since the caller counts on it.
func (r *rule) checkLifetime(asked time.Duration) (time.Duration, *Refusal) {
	if asked == 0 {
		return r.DefaultLifetime, nil
	}
	if asked > r.MaxLifetime {
		return 0, refuse(LifetimeNotAllowed, "grant %q allows lifetimes up to %d seconds, not %d; ask for less, or leave it out for %d",
			r.Name, seconds(r.MaxLifetime), seconds(asked), seconds(r.DefaultLifetime))
	}
	return asked, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
