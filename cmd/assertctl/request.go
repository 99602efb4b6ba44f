package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// requestFlags describe an assertion.
type requestFlags struct {
	grant, audience string
	claims          []string
	lifetime        time.Duration
}

func (a *app) requestFlags(cmd *cobra.Command) *requestFlags {
	f := &requestFlags{}
	cmd.Flags().StringVarP(&f.grant, "grant", "g", "", "`name` of the grant, if several match")
	cmd.Flags().StringVarP(&f.audience, "audience", "a", "", "`uri` of the audience, if the grant has several")
	cmd.Flags().StringArrayVar(&f.claims, "claim", nil, "claim to add, as `name=value`; the value may be JSON; may be repeated")
	cmd.Flags().DurationVar(&f.lifetime, "lifetime", 0, "lifetime in whole seconds, such as 60s (default: the grant's)")
	complete(cmd, "grant", a.completion(grantNames(ipc.UseAssertion)))
	complete(cmd, "audience", a.completion(audiences))
	return f
}

// request returns the request for the flags. Its errors are usage errors.
func (f *requestFlags) request(cmd *cobra.Command) (ipc.AssertionRequest, error) {
	req := ipc.AssertionRequest{Grant: f.grant, Audience: f.audience, LifetimeSeconds: int64(f.lifetime / time.Second)}
	if f.lifetime%time.Second != 0 || f.lifetime < 0 {
		return req, cli.UsageError(cmd, fmt.Errorf("--lifetime %v: want whole seconds", f.lifetime))
	}
	var err error
	if req.Claims, err = cli.ParseClaims(f.claims); err != nil {
		return req, cli.UsageError(cmd, err)
	}
	return req, nil
}
