package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/jwks"
)

func TestRefusalsAreSaidOnce(t *testing.T) {
	for _, test := range []struct {
		err  error
		want string
	}{
		{ipc.NewProblem(ipc.CodeGrantNotFound, `You have no grant "x".`), `You have no grant "x". (grant-not-found)`},
		{fmt.Errorf("DPoP: %w", ipc.NewProblem(ipc.CodeRateLimited, "Try again in 2s.")), "DPoP: Try again in 2s. (rate-limited)"},
		{ipc.NewProblem(ipc.CodeInternal, ""), "The daemon failed"},
		{ipc.NewProblem(ipc.CodeReloadRefused, "a.yaml:1:1: no"), "The reload was refused: a.yaml:1:1: no"},
	} {
		if got := saidOnce(test.err).Error(); got != test.want {
			t.Errorf("got %q, want %q", got, test.want)
		}
	}
}

// TestVerifySaysWhatItFound, what it wanted, and what to do, without the names
// of a library.
func TestVerifySaysWhatItFound(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(now.Add(d)) }
	for _, test := range []struct {
		claims jwt.Claims
		want   string
	}{
		{jwt.Claims{Audience: jwt.Audience{"https://a"}, Expiry: at(time.Minute)}, `its audience is "https://a", not "https://b"; ask`},
		{jwt.Claims{Expiry: at(time.Minute)}, `it has no audience, and --audience is "https://b"; use`},
		{jwt.Claims{Expiry: at(-time.Hour)}, "it expired 1h00m ago; get a new one"},
		{jwt.Claims{Expiry: at(time.Hour), NotBefore: at(time.Minute)}, "it is only valid in 1m; compare the clocks"},
		{jwt.Claims{Expiry: at(time.Hour), IssuedAt: at(time.Minute)}, "it was issued in 1m; compare the clocks"},
		{jwt.Claims{}, "it has no exp claim; use"},
	} {
		err := checkClaims(test.claims, "https://b", now)
		if err == nil || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s", err, test.want)
		}
	}
	set, err := jwks.ReadSetFile(setFile(t, newJWK(t)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verify("no.jwt.here", set, "", now); err == nil || strings.Contains(err.Error(), "jose") || !strings.Contains(err.Error(), "; pass one JWT") {
		t.Errorf("got %v", err)
	}
}
