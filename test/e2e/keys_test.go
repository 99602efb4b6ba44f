package e2e

import (
	"regexp"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/script"
)

// verifies checks an assertion with a JWKS as a receiver does, at the shifted
// time: kid, algorithm, signature, and expiry.
//
//	[!] verifies ASSERTION JWKS
func verifies(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] verifies ASSERTION JWKS")
	}
	err := verify(ts.ReadFile(args[0]), []byte(ts.ReadFile(args[1])), shiftedNow(ts))
	if (err == nil) == neg {
		ts.Fatalf("%s with %s: %v", args[0], args[1], err)
	}
}

func shiftedNow(ts *testscript.TestScript) time.Time {
	if ts.Getenv(script.ClockShift) == "" {
		return time.Now()
	}
	shift, err := time.ParseDuration(ts.Getenv(script.ClockShift))
	ts.Check(err)
	return time.Now().Add(shift)
}

func verify(assertion string, document []byte, now time.Time) error {
	set, err := jwks.ParseSet(document)
	if err != nil {
		return err
	}
	token, err := jwt.ParseSigned(regexp.MustCompile(`\s`).ReplaceAllString(assertion, ""), []jose.SignatureAlgorithm{jose.ES256, jose.PS256})
	if err != nil {
		return err
	}
	key, found := set.Lookup(token.Headers[0].KeyID)
	if !found {
		return jose.ErrJWKSKidNotFound
	}
	var claims jwt.Claims
	if err := token.Claims(key.Public, &claims); err != nil {
		return err
	}
	return claims.ValidateWithLeeway(jwt.Expected{Time: now, AnyAudience: jwt.Audience{"https://as.example"}}, 0)
}
