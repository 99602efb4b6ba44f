package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/terminal"
)

func jwksCommand() *cobra.Command {
	var from tokens
	var domain string
	var spiffe bool
	cmd := &cobra.Command{
		Use:   "jwks",
		Short: "print the public JWKS directly from the HSM",
		Long: "Prints the public keys of every key set for assertions: the same JWKS that the\n" +
			"daemon serves now. Register it with the authorization server.\n\n" +
			"With --spiffe, prints the bundle of the SPIFFE trust domain: the keys of the\n" +
			"grants with profile spiffe-jwt-svid, with use jwt-svid.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			var sets []string
			if spiffe || domain != "" {
				if sets, err = trustDomain(c.TrustDomains(), domain); err != nil {
					return cli.UsageError(cmd, err)
				}
			}
			return from.read(cmd.Context(), c, cmd.ErrOrStderr(), func(_ context.Context, i *inspect.Inspection) error {
				text, err := publicKeys(i, sets)
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(terminal.Data(cmd.OutOrStdout()), "%s\n", text)
				return err
			})
		},
	}
	cmd.Flags().BoolVar(&spiffe, "spiffe", false, "print the bundle of the SPIFFE trust domain")
	cmd.Flags().StringVar(&domain, "trust-domain", "", "print the bundle of this trust `domain`, if there are several")
	from.register(cmd)
	cmd.AddCommand(jwksMergeCommand())
	return cmd
}

// trustDomain returns the key sets of a trust domain, or of the only one.
func trustDomain(domains map[string][]string, name string) ([]string, error) {
	names := slices.Sorted(maps.Keys(domains))
	switch {
	case len(names) == 0:
		return nil, errors.New("no grant has profile spiffe-jwt-svid, so there is no trust domain")
	case name == "" && len(names) == 1:
		name = names[0]
	case name == "":
		return nil, fmt.Errorf("there are several trust domains; choose one with --trust-domain: %s", strings.Join(names, ", "))
	case domains[name] == nil:
		return nil, fmt.Errorf("--trust-domain %s: want one of %s", name, strings.Join(names, ", "))
	}
	return domains[name], nil
}

// publicKeys is the JWKS of all key sets, or the bundle of some.
func publicKeys(i *inspect.Inspection, bundle []string) ([]byte, error) {
	if bundle != nil {
		return i.Bundle(bundle)
	}
	set, err := i.JWKS()
	return set.JSON(), err
}
