package main

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/terminal"
)

// showForms are the formats that registrations take, one flag each.
type showForms struct {
	pem, jwk, ssh, entra, certificate bool
}

func (k *keyTool) showCommand() *cobra.Command {
	var forms showForms
	var alg string
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "show KEY",
		Short: "show a public key, in the format for a registration",
		Long: "Shows the public half of a key. KEY is a kid, a label, id: and the CKA_ID in\n" +
			"hexadecimal, or a key set with only one version.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return k.find(cmd.Context(), args[0], func(_ *keyadmin.Admin, inv *keyadmin.Inventory, key keyadmin.Key) error {
				if key.Alg == "" {
					key.Alg = alg
				}
				if forms == (showForms{}) {
					return output.Print(cmd.OutOrStdout(), key.Document(), func(out io.Writer) error {
						return key.WriteDetails(out, inv.At)
					})
				}
				text, err := forms.of(k.config, inv, key)
				if err != nil {
					return err
				}
				_, err = terminal.Data(cmd.OutOrStdout()).Write(text)
				return err
			})
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&forms.pem, "pem", false, "print the public key in PEM (Auth0, Snowflake)")
	flags.BoolVar(&forms.jwk, "jwk", false, "print the JWK (Okta, Keycloak)")
	flags.BoolVar(&forms.ssh, "ssh", false, "print a line for authorized_keys")
	flags.BoolVar(&forms.entra, "entra", false, "print credentials for Microsoft Entra, in the format of Microsoft Graph")
	flags.BoolVar(&forms.certificate, "certificate", false, "print the certificate and its issuers in PEM (Entra upload, Salesforce)")
	flags.StringVar(&alg, "alg", "", "JOSE `algorithm`, for a key that belongs to no key set")
	output.RegisterWithJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("pem", "jwk", "ssh", "entra", "certificate", "json", "output")
	return cmd
}

func (f showForms) of(c *config.Config, inv *keyadmin.Inventory, key keyadmin.Key) ([]byte, error) {
	switch {
	case f.pem:
		return key.PEM()
	case f.jwk:
		return key.JWK()
	case f.ssh:
		return key.SSH()
	case f.certificate:
		return key.CertificatePEM()
	}
	return key.Entra(keyadmin.Federations(c, key.Set), inv.At)
}
