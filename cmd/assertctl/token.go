package main

import (
	"fmt"
	"net/url"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/ipc"
)

// tokenFlags are the flags of a token request besides the assertion's.
type tokenFlags struct {
	client.TokenRequest
	parameters []string
}

func (a *app) tokenCommand() *cobra.Command {
	var flags tokenFlags
	var field bool
	cmd := &cobra.Command{
		Use:   "token [--url TOKEN_ENDPOINT]",
		Short: "get an access token with a fresh assertion",
		Long: "Asks the daemon for an assertion and the authorization server for an access token, in the form that\n" +
			"the grant's profile wants: a client assertion, an authorization grant, a token exchange, AWS web identity.\n" +
			"Where the assertion is itself the access token (GitHub App, Google self-signed, Snowflake …) it is printed\n" +
			"as the bearer token, without --url. Prints the server's answer as it came.",
		Example: "  assertctl token --url https://as.example/token --scope \"read write\"\n" +
			"  assertctl token --url https://as.example/token --dpop my-dpop-grant\n" +
			"  assertctl token --grant github --access-token",
		Args: cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		token, err := a.token(cmd, request, &flags)
		if err != nil {
			return err
		}
		text := string(token.Raw)
		if field {
			text = token.AccessToken
		}
		_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.TrimSuffix(text, "\n"))
		return err
	}
	flags.register(a, cmd)
	cmd.Flags().BoolVar(&field, "access-token", false, "print the access token alone")
	return cmd
}

func (f *tokenFlags) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.URL, "url", "u", "", "`url` of the authorization server's token endpoint")
	cmd.Flags().StringVar(&f.Scope, "scope", "", "the `scopes` to ask for, separated by spaces")
	cmd.Flags().StringArrayVar(&f.Resource, "resource", nil, "`uri` of a service that the token is for (RFC 8707), may be repeated")
	cmd.Flags().StringVar(&f.ClientID, "client-id", "", "send this `id` as client_id too, where the server wants it")
	cmd.Flags().StringVar(&f.DPoP, "dpop", "", "bind the token to the key of this `grant` of profile dpop")
	cmd.Flags().StringArrayVar(&f.parameters, "param", nil, "another parameter, as `name=value`, or name=@file to keep a secret out of the command line; may be repeated")
	complete(cmd, "dpop", a.completion(grantNames(ipc.UseAssertion)))
}

// read completes the request from the command line.
func (f *tokenFlags) read(cmd *cobra.Command, request *requestFlags) (err error) {
	if f.Assertion, err = request.request(cmd); err != nil {
		return err
	}
	if f.Parameters, err = parameters(f.parameters); err != nil {
		return cli.UsageError(cmd, err)
	}
	return nil
}

func (a *app) token(cmd *cobra.Command, request *requestFlags, flags *tokenFlags) (client.Token, error) {
	if err := flags.read(cmd, request); err != nil {
		return client.Token{}, err
	}
	c, err := a.client()
	if err != nil {
		return client.Token{}, err
	}
	return c.Token(cmd.Context(), flags.TokenRequest)
}

func parameters(given []string) (url.Values, error) {
	values := url.Values{}
	for _, one := range given {
		name, value, found := strings.Cut(one, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("--param %s: want name=value or name=@file", name)
		}
		if file, ok := strings.CutPrefix(value, "@"); ok {
			text, err := readSecret(file)
			if err != nil {
				return nil, fmt.Errorf("--param %s: %w", name, err)
			}
			value = text
		}
		values.Add(name, value)
	}
	return values, nil
}

// readSecret reads a file that holds one value, with or without a line end.
func readSecret(file string) (string, error) {
	text, err := os.ReadFile(file)
	return strings.TrimSpace(string(text)), err
}
