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
		return "", refuse(AudienceNotAllowed, "Assertions from grant %q have no audience. "+
			"Leave audience out of the request.", r.Name)
	case len(r.Audiences) == 0:
		return "", refuse(AudienceNotAllowed, "Grant %q lists no audiences, so it allows none. "+
			"Ask your assertd administrator to add one.", r.Name)
	case requested == "" && len(r.Audiences) == 1:
		return r.Audiences[0], nil
	case requested == "":
		return "", refuse(AudienceRequired, "Grant %q allows several audiences. Set audience to one of %s.",
			r.Name, enumerate(quoteAll(r.Audiences)))
	}
	if i := slices.Index(r.Audiences, requested); i >= 0 {
		return r.Audiences[i], nil
	}
	return "", refuse(AudienceNotAllowed, "Grant %q does not allow audience %q. Use one of %s, byte for byte.",
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
		return 0, refuse(LifetimeNotAllowed, "Grant %q allows a lifetime of up to %d seconds, not %d. "+
			"Ask for less, or leave the lifetime out to get %d seconds.",
			r.Name, seconds(r.MaxLifetime), seconds(requested), seconds(r.DefaultLifetime))
	}
	return requested, nil
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }
