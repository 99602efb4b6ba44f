package jwks

import (
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/assertd/assertd/internal/logging"
)

const (
	minHold = time.Minute
	maxHold = 5 * time.Minute
)

// initialHold delays the first publication while some token has not been read
// since startup. Keys that are only on that token would be missing from the
// JWKS, and receivers drop what is missing. But other daemons may sign with
// those keys now, and assertions from before the restart are still in use.
// Until the hold ends, the file stays as an earlier run left it, and HTTP
// requests get 503, after which receivers keep what they have.
//
// They keep it for max_age, so that is how long the hold lasts: but at least a
// minute, which a slow token needs to start, and at most five. After that, a
// JWKS without those keys serves receivers better than none, and a new version
// must not wait for a token that never comes back.
type initialHold struct {
	limit  time.Duration
	unread atomic.Pointer[[]string] // names of the tokens

	// Only Publication.Run uses these.
	since time.Time // when the hold began; zero if it never did
	over  bool
}

// check returns an error while the hold lasts, and when to check again.
func (h *initialHold) check(now time.Time, logger logging.Logger) (time.Duration, error) {
	tokens := h.unreadTokens()
	if h.over || tokens == "" {
		h.over = true
		return 0, nil
	}
	if h.since.IsZero() {
		h.since = now
	}
	if held := now.Sub(h.since); held < h.limit {
		left := h.limit - held
		return min(maxRefresh, left), fmt.Errorf("no worker has read token %s since startup, and its keys would be missing; "+
			"see assertctl status; publishing without them in %s", tokens, left.Round(time.Second))
	}
	h.over = true
	logger.Error("jwks published without the keys of tokens that no worker has read since startup; receivers drop those keys",
		"tokens", tokens)
	return 0, nil
}

func (h *initialHold) unreadTokens() string {
	if tokens := h.unread.Load(); tokens != nil {
		return strings.Join(*tokens, ", ")
	}
	return ""
}
