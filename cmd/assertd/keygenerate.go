package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/progress"
)

func (k *keyTool) generateCommand() *cobra.Command {
	var alg string
	var bits int
	var another, asJSON bool
	cmd := &cobra.Command{
		Use:   "generate KEYSET",
		Short: "generate the next version of a key set",
		Long: "Generates a key pair that can only sign and can never leave the HSM. Before\n" +
			"reporting the key, checks its attributes and verifies a signature. Running\n" +
			"daemons publish the key within a minute, and sign with it after\n" +
			"rotation.publish_before.",
		Args: cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := k.describe(args[0], alg, bits); err != nil {
				return err
			}
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				line := progress.Show(cmd.Context(), cmd.ErrOrStderr(), progress.Task{
					Name: fmt.Sprintf("generating %s", a.TypeOf(args[0])), Interrupted: "the HSM can't be interrupted; exiting after this key",
				})
				key, err := a.Generate(args[0], another)
				line.Stop()
				if err != nil {
					return err
				}
				return reportGenerated(cmd.OutOrStdout(), key, asJSON)
			})
		},
	}
	cmd.Flags().StringVar(&alg, "alg", "", "with --module: JOSE `algorithm`, such as ES256")
	cmd.Flags().IntVar(&bits, "bits", 0, "with --module: `size` of an RSA key (default 3072)")
	cmd.Flags().BoolVar(&another, "another", false, "generate a version even if the next one already exists")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// describe takes the key set from the command line if there is no
// configuration.
func (k *keyTool) describe(name, alg string, bits int) error {
	switch {
	case k.module == "" && (alg != "" || bits != 0):
		return fmt.Errorf("%w: --alg and --bits are only for --module; otherwise the configuration sets them", cli.ErrUsage)
	case k.module == "":
		return nil
	case alg == "":
		return fmt.Errorf("%w: --module needs --alg, such as --alg ES256", cli.ErrUsage)
	}
	set, err := keyadmin.Unconfigured(name, alg, bits)
	if err != nil {
		return fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	k.unconfigured = []keyadmin.KeySet{set}
	return nil
}

func reportGenerated(out io.Writer, key keyadmin.Key, asJSON bool) error {
	if asJSON {
		return printJSON(out, key.Document())
	}
	_, err := fmt.Fprintf(out, "generated %s\n  kid    %s\n  alg    %s\n  state  %s, %s\n\nTo register the key by hand: assertd key show %s --jwk\n",
		key.Label, key.Kid, key.Alg, key.State, key.Outlook(now()), key.Kid)
	return err
}
