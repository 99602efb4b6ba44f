package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// requestFlags are the flags that describe an assertion.
type requestFlags struct {
	grant, audience string
	claims          []string
	lifetime        time.Duration
}

func (a *app) requestFlags(cmd *cobra.Command) *requestFlags {
	f := &requestFlags{}
	cmd.Flags().StringVarP(&f.grant, "grant", "g", "", "`name` of the grant, where more than one fits")
	cmd.Flags().StringVarP(&f.audience, "audience", "a", "", "`uri` of the audience, where the grant has more than one")
	cmd.Flags().StringArrayVar(&f.claims, "claim", nil, "a claim to add, as `name=value`; the value may be JSON; may be repeated")
	cmd.Flags().DurationVar(&f.lifetime, "lifetime", 0, "the lifetime in whole seconds, such as 60s (default: the grant's)")
	complete(cmd, "grant", a.completion(grantNames(ipc.UseAssertion)))
	complete(cmd, "audience", a.completion(audiences))
	return f
}

// request is what the flags ask for; errors are those of the command line.
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
