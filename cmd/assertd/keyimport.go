package main

import (
	"context"
	"crypto"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/keyfile"
	"github.com/assertd/assertd/internal/sandbox"
)

// importing is what key import was asked for.
type importing struct {
	set, label, alg, passphraseFile string
	output                          cli.Output
}

func (k *keyTool) importKeyCommand() *cobra.Command {
	var i importing
	cmd := &cobra.Command{
		Use:   "import FILE --as KEYSET",
		Short: "put a private key from a file into the HSM",
		Long: "Reads a private key that a receiver handed out, such as GitHub, Apple or Coinbase:\n" +
			"PEM, PKCS #8 (also encrypted), JWK, or Coinbase's JSON or base64. Puts it into the\n" +
			"HSM so that it can't leave again, and checks its attributes and a signature. The\n" +
			"key was outside, so its custody stays imported: the key set needs\n" +
			"accept: imported. Destroy the file afterwards.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := k.describeImport(i); err != nil {
				return err
			}
			private, err := readPrivateKey(cmd.Context(), args[0], i.passphraseFile)
			if err != nil {
				return err
			}
			defer keyfile.Wipe(private)
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				key, err := i.into(a, private)
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.ErrOrStderr(), "assertd: warning: this key was outside the HSM, so somebody may have a copy of it, and that can't be undone. "+
					"Destroy %s and every copy of it, such as with shred -u. If others could read it, get a new key instead.\n", keyadmin.Printable(args[0]))
				return i.output.Print(cmd.OutOrStdout(), key.Document(), func(out io.Writer) error { return i.report(out, k, key) })
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&i.set, "as", "", "`name` of the key set that the key becomes a version of")
	flags.StringVar(&i.label, "label", "", "`text` for the CKA_LABEL of a key for no key set yet")
	flags.StringVar(&i.alg, "alg", "", "with --module and --as: JOSE `algorithm`, such as RS256")
	flags.StringVar(&i.passphraseFile, "passphrase-file", "", "`file` with the passphrase of an encrypted key; otherwise assertd prompts")
	i.output.RegisterWithJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("as", "label")
	cmd.MarkFlagsOneRequired("as", "label")
	return cmd
}

// describeImport takes the key set from the command line if there is no
// configuration. Who names it there accepts that it is imported.
func (k *keyTool) describeImport(i importing) error {
	if i.set == "" && i.alg == "" {
		return nil
	}
	if err := k.describe(i.set, i.alg, 0); err != nil {
		return err
	}
	for n := range k.unconfigured {
		k.unconfigured[n].AcceptImported = true
	}
	return nil
}

// readPrivateKey hides this process's memory before the key gets into it.
func readPrivateKey(ctx context.Context, path, passphraseFile string) (crypto.Signer, error) {
	if err := sandbox.Conceal(); err != nil {
		return nil, err
	}
	content, err := keyfile.Read(path)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	return keyfile.Parse(content, func() ([]byte, error) { return passphrase(ctx, passphraseFile) })
}

func passphrase(ctx context.Context, file string) ([]byte, error) {
	source := hsm.PINSource{Prompt: true, Question: "passphrase of the key: "}
	if file != "" {
		source = hsm.PINSource{File: file}
	}
	secret, err := source.Read(ctx)
	if err != nil {
		return nil, fmt.Errorf("the passphrase: %w", err)
	}
	defer secret.Zero()
	return secret.Reveal(), nil
}

func (i importing) into(a *keyadmin.Admin, private crypto.Signer) (keyadmin.Key, error) {
	if i.set != "" {
		return a.Import(i.set, private)
	}
	return a.ImportLabeled(i.label, private)
}

func (i importing) report(out io.Writer, k *keyTool, key keyadmin.Key) error {
	fmt.Fprintf(out, "imported %s\n  kid      %s\n  type     %s\n  custody  %s\n", keyadmin.Printable(key.Label), key.Kid, key.Pair.Type(), key.Custody())
	if i.set == "" {
		fmt.Fprintf(out, "\nTo use it: %s\n", k.command("adopt KEYSET --label "+quoted(key.Label)))
		return nil
	}
	_, err := fmt.Fprintf(out, "  state    %s, %s\n", key.State, key.Outlook(now()))
	return err
}
