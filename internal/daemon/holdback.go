package daemon

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"
)

const (
	leastHold = time.Minute
	mostHold  = 5 * time.Minute
)

// holding keeps the first publication back while tokens have not been read since
// the start. What is only on them would be missing from the JWKS, and receivers
// drop what is missing: other daemons may sign with those keys at this moment, and
// assertions of an hour ago are still under way. Until then jwks.file stays as an
// earlier run left it, and jwks.listen answers 503, on which receivers keep what
// they have.
//
// They keep it for as long as they were told, which is max_age. So that is how long
// this goes on, but a minute at least, which a slow token needs to start, and five
// at most: afterwards a JWKS without those keys serves receivers better than none,
// and a new version must not wait for a token that never comes back.
type holding struct {
	most   time.Duration
	unread atomic.Pointer[[]string] // names of the tokens

	// These belong to the publication's run.
	since time.Time // when it was first held back; zero if it never was
	over  bool
}

// lacks notes which tokens have not been read. The keys that were read must have
// become the publication's content before.
func (p *publication) lacks(tokens []string) { p.holding.unread.Store(&tokens) }

// hold gives an error while nothing is to be published, and when to look again.
func (p *publication) hold() (time.Duration, error) {
	h, tokens := &p.holding, p.unread()
	if h.over || tokens == "" {
		h.over = true
		return 0, nil
	}
	if h.since.IsZero() {
		h.since = p.now()
	}
	if held := p.now().Sub(h.since); held < h.most {
		left := h.most - held
		return min(republishAtLeast, left), fmt.Errorf("no worker has read token %s since the start, and keys that are only there would be missing: "+
			"see assertctl status; it is done without them in %s", tokens, left.Round(time.Second))
	}
	h.over = true
	p.logger.Error("jwks is published without the keys of tokens that could not be read since the start; receivers drop those that are only there",
		"tokens", tokens)
	return 0, nil
}

func (p *publication) unread() string {
	if tokens := p.holding.unread.Load(); tokens != nil {
		return strings.Join(*tokens, ", ")
	}
	return ""
}
