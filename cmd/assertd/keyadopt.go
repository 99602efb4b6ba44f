package main

import (
	"encoding/hex"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/terminal"
)

func (k *keyTool) adoptCommand() *cobra.Command {
	var label, id, alg string
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "adopt KEYSET",
		Short: "check an existing key and print its configuration",
		Long: "Checks a key that assertd did not generate: the label and ID are unique, the key\n" +
			"can't leave the token, it can only sign, and it does sign. Changes nothing in the\n" +
			"HSM. To adopt the key, put what this command prints into the configuration.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, err := hex.DecodeString(id)
			if err != nil || (id == "" && label == "") {
				return fmt.Errorf("%w: name the key with --label, --id (hexadecimal), or both", cli.ErrUsage)
			}
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				adoption, err := a.Adopt(cmd.Context(), args[0], alg, hsm.Selector{Label: label, ID: raw})
				if err != nil {
					return err
				}
				return output.Print(cmd.OutOrStdout(), adoption.Document(), func(out io.Writer) error {
					_, err = fmt.Fprintf(terminal.Data(out), "# Key %s passed all checks.\n# To adopt it, add this to the configuration:\n%s",
						adoption.Key.Kid, adoption.Configuration())
					return err
				})
			})
		},
	}
	cmd.Flags().StringVar(&label, "label", "", "`text` of the key's CKA_LABEL")
	cmd.Flags().StringVar(&id, "id", "", "CKA_ID of the key, in `hexadecimal`")
	cmd.Flags().StringVar(&alg, "alg", "", "JOSE `algorithm`, if neither the configuration nor the key type implies it")
	output.Register(cmd)
	return cmd
}
