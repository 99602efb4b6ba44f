package hsm

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// openTries and openPause bound OpenRetrying: half a second or so, while a
// login rewrites SoftHSM's file within a millisecond.
const (
	openTries = 5
	openPause = 100 * time.Millisecond
)

// OpenRetrying is Open for a process that shares SoftHSM with others. At each
// login SoftHSM rewrites the token's file, and a process that reads it then
// sees no token, or one without a PIN. So OpenRetrying tries again, for about
// half a second, if Open failed in one of these ways. The PIN wasn't tried
// then.
func OpenRetrying(ctx context.Context, cfg Config, pin *PIN) (*Token, error) {
	for n := 1; ; n++ {
		token, err := Open(cfg, pin)
		if n == openTries || !tornRead(err) {
			return token, err
		}
		select {
		case <-time.After(openPause/2 + rand.N(openPause)):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// tornRead reports whether the token's file may have been read while another
// process was writing it.
func tornRead(err error) bool {
	return errors.Is(err, ErrTokenNotFound) && !errors.Is(err, ErrAmbiguous) || errors.Is(err, ErrPINNotInitialized)
}
