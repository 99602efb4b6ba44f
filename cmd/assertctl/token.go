package main

import (
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
)

// tokenFlags describe a token request, without its assertion.
type tokenFlags struct {
	client.TokenRequest
	clientAuth ipc.AssertionRequest
	parameters []string
	ca         caFlag
}

func (a *app) tokenCommand() *cobra.Command {
	var flags tokenFlags
	var field bool
	cmd := &cobra.Command{
		Use:   "token [--url TOKEN_ENDPOINT]",
		Short: "get an access token with a fresh assertion",
		Long: "Gets an assertion from the daemon and trades it for an access token at the\n" +
			"authorization server, in the form that the grant's profile calls for: client\n" +
			"assertion, authorization grant, token exchange, AWS web identity, or a login at\n" +
			"OpenBao or Vault. Prints the server's response. XML becomes JSON.\n\n" +
			"If the assertion is itself the access token (GitHub App, Google self-signed,\n" +
			"Snowflake), prints it as a bearer token. Leave out --url in that case.\n\n" +
			"An authorization grant or a token exchange says who the token is for. If the\n" +
			"server also wants to know which client asks, name a second grant with\n" +
			"--client-auth.",
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
		_, err = fmt.Fprintln(terminal.Data(cmd.OutOrStdout()), strings.TrimSuffix(text, "\n"))
		return err
	}
	flags.register(a, cmd)
	cmd.Flags().BoolVar(&field, "access-token", false, "print only the access token")
	return cmd
}

func (f *tokenFlags) register(a *app, cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.URL, "url", "u", "", "`url` of the token endpoint")
	cmd.Flags().StringVar(&f.Scope, "scope", "", "space-separated `scopes` to request")
	cmd.Flags().StringArrayVar(&f.Resource, "resource", nil, "`uri` of a service that the token is for (RFC 8707); may be repeated")
	cmd.Flags().StringVar(&f.ClientID, "client-id", "", "`id` to send as client_id, if the server requires it")
	cmd.Flags().StringVar(&f.clientAuth.Grant, "client-auth", "", "authenticate the client with an assertion of this second `grant`")
	cmd.Flags().StringVar(&f.clientAuth.Audience, "client-auth-audience", "", "`uri` of the audience for --client-auth, if its grant has several")
	cmd.Flags().StringVar(&f.DPoP, "dpop", "", "bind the token to the key of this `grant`, whose profile is dpop")
	cmd.Flags().StringArrayVar(&f.parameters, "param", nil, "additional parameter, as `name=value`, or name=@file to keep a secret off the command line; @@ stands for an @ at the start; may be repeated")
	f.ca.register(cmd)
	complete(cmd, "client-auth", a.completion(grantNames(ipc.UseAssertion)))
	complete(cmd, "client-auth-audience", a.completion(audiences))
	complete(cmd, "dpop", a.completion(grantNames(ipc.UseAssertion)))
}

// read fills in the request from the command line.
func (f *tokenFlags) read(cmd *cobra.Command, request *requestFlags) (err error) {
	if f.Assertion, err = request.request(cmd); err != nil {
		return err
	}
	if f.HTTP, err = f.ca.client(); err != nil {
		return cli.UsageError(cmd, err)
	}
	switch {
	case f.clientAuth.Grant != "":
		f.ClientAuth = &f.clientAuth
	case f.clientAuth.Audience != "":
		return cli.UsageError(cmd, errors.New("--client-auth-audience is for --client-auth; give that too"))
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

func parameters(flags []string) (url.Values, error) {
	values := url.Values{}
	for _, flag := range flags {
		name, value, found := strings.Cut(flag, "=")
		if !found || name == "" {
			return nil, fmt.Errorf("--param %s: want name=value or name=@file", name)
		}
		value, err := parameterValue(value)
		if err != nil {
			return nil, fmt.Errorf("--param %s: %w", name, err)
		}
		values.Add(name, value)
	}
	return values, nil
}

// parameterValue reads @file, and leaves one @ of @@.
func parameterValue(value string) (string, error) {
	rest, marked := strings.CutPrefix(value, "@")
	if !marked || strings.HasPrefix(rest, "@") {
		return rest, nil
	}
	return readSecret(rest)
}

// readSecret reads a file that contains one value, with or without a newline.
func readSecret(file string) (string, error) {
	text, err := trustpath.ReadRegular(file)
	return strings.TrimSpace(string(text)), err
}
