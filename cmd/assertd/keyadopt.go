package main

import (
	"encoding/hex"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
)

func (k *keyTool) adoptCommand() *cobra.Command {
	var label, id, alg string
	cmd := &cobra.Command{
		Use:   "adopt KEYSET",
		Short: "check an existing key, and print what the configuration has to say to use it",
		Long: "Checks a key that assertd did not make: that it is the only one with the label and ID, that it\n" +
			"can't leave the token and can do nothing but sign, and that it signs. Changes nothing: the key\n" +
			"is adopted by what this prints, once the configuration has it.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := hex.DecodeString(id)
			if err != nil || (id == "" && label == "") {
				return fmt.Errorf("%w: name the key by --label, --id (hexadecimal), or both", cli.ErrUsage)
			}
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				adoption, err := a.Adopt(cmd.Context(), args[0], alg, hsm.Selector{Label: label, ID: raw})
				if err != nil {
					return err
				}
				_, err = fmt.Fprintf(cmd.OutOrStdout(), "# Key %s is held as it must be, and signed. To adopt it, have in the configuration:\n%s", adoption.Key.Kid, adoption.Configuration())
				return err
			})
		},
	}
	cmd.Flags().StringVar(&label, "label", "", "the `text` of the key's CKA_LABEL")
	cmd.Flags().StringVar(&id, "id", "", "the key's CKA_ID in `hexadecimal`")
	cmd.Flags().StringVar(&alg, "alg", "", "the JOSE `algorithm`, where neither the configuration nor the type of key says it")
	return cmd
}
