package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/assertd/assertd/ipc"
)

// A receiver that allows no skew, and whose clock is behind, accepts what the
// daemon signs.
func TestReceiverWhoseClockIsBehind(t *testing.T) {
	d := startDev(t)
	d.reconfigure(t, "      - {name: raw, ", `      - {name: far, key: dev, profile: private_key_jwt, client_id: c, audiences: ["https://far.example"], lifetime: {max: 60s}, not_before: {leeway: 30s}}
      - {name: now, key: dev, profile: private_key_jwt, client_id: c, audiences: ["https://now.example"], not_before: {leeway: 0s}}
      - {name: never, key: dev, profile: private_key_jwt, client_id: c, audiences: ["https://never.example"], not_before: none}
      - {name: raw, `, "far")
	for _, row := range []struct {
		grant  string
		behind time.Duration
		fits   bool
	}{
		{"example", time.Second, true}, {"far", 29 * time.Second, true}, {"far", 40 * time.Second, false},
		{"now", 10 * time.Second, false}, {"never", time.Second, true},
	} {
		answer, err := d.Assert(t.Context(), ipc.AssertionRequest{Grant: row.grant})
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := jwt.ParseSigned(answer.Assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(answer.Alg)})
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.Claims
		if err := parsed.UnsafeClaimsWithoutVerification(&claims); err != nil {
			t.Fatal(err)
		}
		theirs := time.Unix(answer.IssuedAt, 0).Add(-row.behind)
		if err := claims.ValidateWithLeeway(jwt.Expected{Time: theirs}, 0); (err == nil) != row.fits {
			t.Errorf("%s, %v behind: %v", row.grant, row.behind, err)
		}
		if (claims.NotBefore == nil) != (row.grant == "never") {
			t.Errorf("%s: nbf %v", row.grant, claims.NotBefore)
		}
		if life := claims.Expiry.Time().Sub(claims.IssuedAt.Time()); strings.Contains("far now never", row.grant) && life != time.Minute {
			t.Errorf("%s: %v from iat to exp", row.grant, life)
		}
	}
}
