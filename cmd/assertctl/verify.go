package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/jwks"
)

// maxInput limits an assertion on standard input, in bytes.
const maxInput = 1 << 20

var errNotVerified = errors.New("not verified")

func (a *app) verifyCommand() *cobra.Command {
	var file, audience string
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "verify [ASSERTION]",
		Short: "verify an assertion as an authorization server would",
		Long: "Verifies an assertion with the daemon's JWKS, or one from a file, and prints\n" +
			"which key signed it and how long it remains valid. Pass the assertion on\n" +
			"standard input: other users can see command-line arguments.",
		Args: cli.Args(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			compact, err := assertionFrom(cmd.InOrStdin(), args)
			if err != nil {
				return err
			}
			set, err := a.keySet(cmd.Context(), file)
			if err != nil {
				return err
			}
			result, err := verify(compact, set, audience, time.Now())
			if err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), result, result.print)
		},
	}
	cmd.Flags().StringVar(&file, "jwks", "", "JWKS `file` (default: the daemon's)")
	cmd.Flags().StringVarP(&audience, "audience", "a", "", "require this audience `uri`")
	output.Register(cmd)
	return cmd
}

func assertionFrom(stdin io.Reader, args []string) (string, error) {
	if len(args) == 1 {
		return args[0], nil
	}
	text, err := io.ReadAll(io.LimitReader(stdin, maxInput))
	return strings.TrimSpace(string(text)), err
}

// keySet reads the JWKS from a file, or gets the daemon's.
func (a *app) keySet(ctx context.Context, file string) (jwks.Set, error) {
	if file != "" {
		return jwks.ReadSetFile(file)
	}
	c, err := a.client()
	if err != nil {
		return jwks.Set{}, err
	}
	text, err := c.JWKS(ctx)
	if err != nil {
		return jwks.Set{}, err
	}
	return jwks.ParseSet(text)
}

// verified is the result of verify.
type verified struct {
	Verified     bool      `json:"verified"` // always true: a failure is an error
	Alg          string    `json:"alg"`
	Kid          string    `json:"kid"`
	Audience     []string  `json:"audience,omitempty"`
	Expires      time.Time `json:"expires"`
	ValidSeconds int64     `json:"valid_seconds"`
}

func verify(compact string, set jwks.Set, audience string, now time.Time) (verified, error) {
	claims, key, err := verifiedClaims(compact, set)
	if err != nil {
		return verified{}, err
	}
	if err := checkClaims(claims, audience, now); err != nil {
		return verified{}, fmt.Errorf("%w: %w", errNotVerified, err)
	}
	expires := claims.Expiry.Time()
	return verified{
		Verified: true, Alg: key.Alg, Kid: key.Kid, Audience: claims.Audience,
		Expires: expires.UTC(), ValidSeconds: int64(expires.Sub(now).Round(time.Second) / time.Second),
	}, nil
}

func (v verified) print(out io.Writer) error {
	_ = terminal.Paint(out, terminal.Good, "verified:") // the write below reports it
	_, err := fmt.Fprintf(out, " %s signature by key %s, valid for another %s\n", v.Alg, v.Kid, time.Duration(v.ValidSeconds)*time.Second)
	return err
}

// checkClaims checks the times and the audience, without leeway.
func checkClaims(claims jwt.Claims, audience string, now time.Time) error {
	err := claims.ValidateWithLeeway(jwt.Expected{Time: now}, 0)
	switch {
	case claims.Expiry == nil:
		return errors.New("it has no exp claim; use a profile that sets one")
	case errors.Is(err, jwt.ErrExpired):
		return fmt.Errorf("it expired %s; get a new one with assertctl assert", terminal.Ago(now, claims.Expiry.Time()))
	case errors.Is(err, jwt.ErrNotValidYet):
		return fmt.Errorf("it is only valid %s; compare the clocks of the two machines", terminal.In(now, claims.NotBefore.Time()))
	case errors.Is(err, jwt.ErrIssuedInTheFuture):
		return fmt.Errorf("it was issued %s; compare the clocks of the two machines", terminal.In(now, claims.IssuedAt.Time()))
	case err != nil:
		return errors.New(reason(err))
	case audience == "" || claims.Audience.Contains(audience):
		return nil
	case len(claims.Audience) == 0:
		return fmt.Errorf("it has no audience, and --audience is %q; use a grant with that audience", audience)
	}
	return fmt.Errorf("its audience is %q, not %q; ask for that one with assertctl assert --audience", strings.Join(claims.Audience, " "), audience)
}

// verifiedClaims are the claims of a JWT whose signature matches its key.
func verifiedClaims(compact string, set jwks.Set) (claims jwt.Claims, key jwks.Key, err error) {
	if message, ok := parseMessage(compact); ok {
		return message.verify(set)
	}
	token, key, err := parseSigned(compact, set)
	if err != nil {
		return claims, key, err
	}
	if err := token.Claims(key.Public, &claims); err != nil {
		return claims, key, wrongSignature(key)
	}
	return claims, key, nil
}

// parseSigned parses a JWT and finds the key that its header names.
func parseSigned(compact string, set jwks.Set) (*jwt.JSONWebToken, jwks.Key, error) {
	var algorithms []jose.SignatureAlgorithm
	for _, key := range set.Keys() {
		algorithms = append(algorithms, jose.SignatureAlgorithm(key.Alg))
	}
	token, err := jwt.ParseSigned(compact, algorithms)
	if err != nil {
		return nil, jwks.Key{}, fmt.Errorf("%w: %s; pass one JWT, as assertctl assert prints it", errNotVerified, reason(err))
	}
	kid := token.Headers[0].KeyID
	key, found := set.Lookup(kid)
	if !found {
		return nil, jwks.Key{}, noSuchKey(kid)
	}
	if token.Headers[0].Algorithm != key.Alg {
		return nil, jwks.Key{}, otherAlgorithm(key, token.Headers[0].Algorithm)
	}
	return token, key, nil
}

// noSuchKey is about a kid that the JWKS lacks.
func noSuchKey(kid string) error {
	return fmt.Errorf("%w: the JWKS has no key %q; get its current copy, or compare it with assertctl jwks diff", errNotVerified, kid)
}

// reason is a message of go-jose without the library's name.
func reason(err error) string {
	text := err.Error()
	for _, name := range []string{"go-jose/go-jose", "/jwt", ": ", "validation failed, ", "go-jose/go-jose: ", "square/go-jose: "} {
		text = strings.TrimPrefix(text, name)
	}
	return text
}
