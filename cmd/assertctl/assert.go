package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/ipc"
)

// requestFlags are the flags that describe an assertion.
type requestFlags struct {
	grant, audience string
	claims          []string
	lifetime        time.Duration
}

func (f *requestFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.grant, "grant", "", "the grant, where more than one fits: `name`")
	cmd.Flags().StringVarP(&f.audience, "audience", "a", "", "the audience, where the grant has more than one: `uri`")
	cmd.Flags().StringArrayVar(&f.claims, "claim", nil, "a claim to add, as `name=value`; the value may be JSON; may be repeated")
	cmd.Flags().DurationVar(&f.lifetime, "lifetime", 0, "the lifetime in whole seconds, such as 60s (default: the grant's)")
}

func (f *requestFlags) request() (ipc.AssertionRequest, error) {
	req := ipc.AssertionRequest{Grant: f.grant, Audience: f.audience, LifetimeSeconds: int64(f.lifetime / time.Second)}
	if f.lifetime%time.Second != 0 || f.lifetime < 0 {
		return req, fmt.Errorf("--lifetime %v: want whole seconds", f.lifetime)
	}
	for _, claim := range f.claims {
		name, value, found := strings.Cut(claim, "=")
		if !found || name == "" {
			return req, fmt.Errorf("--claim %s: want name=value", claim)
		}
		if req.Claims == nil {
			req.Claims = make(map[string]json.RawMessage)
		}
		if _, twice := req.Claims[name]; twice {
			return req, fmt.Errorf("--claim %s is given twice", name)
		}
		req.Claims[name] = claimValue(value)
	}
	return req, nil
}

// claimValue takes JSON as it is, and anything else as a string.
func claimValue(text string) json.RawMessage {
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // a string always marshals
	}
	return quoted
}

func (a *app) assertCommand() *cobra.Command {
	var flags requestFlags
	var decode bool
	cmd := &cobra.Command{
		Use:   "assert",
		Short: "print a signed assertion",
		Long: "Prints a signed assertion: a credential that works until it expires, so mind where it goes.\n" +
			"With --decode, prints its header and claims instead, which are no secret.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := flags.request()
			if err != nil {
				return usageError(cmd, err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			answer, err := c.Assert(cmd.Context(), req)
			if err != nil {
				return err
			}
			if decode {
				return printDecoded(cmd.OutOrStdout(), answer.Assertion)
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), answer.Assertion)
			return err
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVar(&decode, "decode", false, "print header and claims instead of the assertion")
	return cmd
}

var errNotJWT = errors.New("this is no JWT in compact form")
