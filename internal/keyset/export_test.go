package keyset

import (
	"context"
	"time"
)

// Poll polls the tokens once, as Run does.
func (r *Rotator) Poll(ctx context.Context) { r.poll(ctx) }

// SetDelay replaces the random waits.
func (r *Rotator) SetDelay(delay func(time.Duration) time.Duration) { r.delay = delay }

// SetTokens replaces the tokens.
func (r *Rotator) SetTokens(tokens Tokens) { r.tokens = tokens }

// PublishedVersions are the versions of a plan that belong in the JWKS.
func PublishedVersions(p Plan) []Version { return published(p) }
