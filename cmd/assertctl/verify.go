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
	"github.com/assertd/assertd/jwks"
)

// maxInput limits an assertion on standard input, in bytes.
const maxInput = 1 << 20

var errNotVerified = errors.New("not verified")

func (a *app) verifyCommand() *cobra.Command {
	var file, audience string
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
			return verify(cmd.OutOrStdout(), compact, set, audience, time.Now())
		},
	}
	cmd.Flags().StringVar(&file, "jwks", "", "JWKS `file` (default: the daemon's)")
	cmd.Flags().StringVarP(&audience, "audience", "a", "", "require this audience `uri`")
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

func verify(out io.Writer, compact string, set jwks.Set, audience string, now time.Time) error {
	claims, key, err := verifiedClaims(compact, set)
	if err != nil {
		return err
	}
	expected := jwt.Expected{Time: now}
	if audience != "" {
		expected.AnyAudience = jwt.Audience{audience}
	}
	if err := claims.ValidateWithLeeway(expected, 0); err != nil {
		return fmt.Errorf("%w: %s", errNotVerified, reason(err))
	}
	if claims.Expiry == nil {
		return fmt.Errorf("%w: it has no exp claim", errNotVerified)
	}
	left := claims.Expiry.Time().Sub(now).Round(time.Second)
	_, err = fmt.Fprintf(out, "verified: %s signature by key %s, valid for another %s\n", key.Alg, key.Kid, left)
	return err
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
		return nil, jwks.Key{}, fmt.Errorf("%w: %s", errNotVerified, reason(err))
	}
	kid := token.Headers[0].KeyID
	key, found := set.Lookup(kid)
	if !found {
		return nil, jwks.Key{}, fmt.Errorf("%w: the JWKS has no key %q", errNotVerified, kid)
	}
	if token.Headers[0].Algorithm != key.Alg {
		return nil, jwks.Key{}, otherAlgorithm(key, token.Headers[0].Algorithm)
	}
	return token, key, nil
}

// reason is a message of go-jose without the library's name.
func reason(err error) string {
	text := strings.TrimPrefix(err.Error(), "go-jose/go-jose")
	text = strings.TrimPrefix(strings.TrimPrefix(text, "/jwt"), ": ")
	return strings.TrimPrefix(text, "validation failed, ")
}
