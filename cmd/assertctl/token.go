package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
)

func (a *app) tokenCommand() *cobra.Command {
	var request requestFlags
	var token client.TokenRequest
	cmd := &cobra.Command{
		Use:   "token --url TOKEN_ENDPOINT",
		Short: "get an access token with a fresh assertion",
		Long: "Asks the daemon for an assertion, makes the OAuth token request with it (RFC 7523 section 2.2)\n" +
			"and prints the authorization server's answer.",
		Args: usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			req, err := request.request()
			if err != nil {
				return usageError(cmd, err)
			}
			c, err := a.client()
			if err != nil {
				return err
			}
			token.Assertion = req
			answer, err := c.Token(cmd.Context(), token)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s\n", answer.Raw)
			return err
		},
	}
	request.register(cmd)
	cmd.Flags().StringVarP(&token.URL, "url", "u", "", "the authorization server's token endpoint: `url`")
	cmd.Flags().StringVar(&token.Scope, "scope", "", "the `scopes` to ask for, separated by spaces")
	cmd.Flags().StringVar(&token.ClientID, "client-id", "", "send client_id too, where the server wants it: `id`")
	if err := cmd.MarkFlagRequired("url"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}
