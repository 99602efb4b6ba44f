package main

import (
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/progress"
)

// generating is what key generate was asked for.
type generating struct {
	alg              string
	bits             int
	another, missing bool
	output           cli.Output
}

func (k *keyTool) generateCommand() *cobra.Command {
	var g generating
	cmd := &cobra.Command{
		Use:   "generate KEYSET | --missing",
		Short: "generate the next version of a key set",
		Long: "Generates a key pair that can only sign and can never leave the HSM. Before\n" +
			"reporting the key, checks its attributes and verifies a signature. Running\n" +
			"daemons publish the key within a minute, and sign with it after\n" +
			"rotation.publish_before. With --missing, generates the first version of each key\n" +
			"set in the configuration that has none.",
		Args: cli.Args(g.args),
		RunE: func(cmd *cobra.Command, args []string) error {
			if g.missing && k.module != "" {
				return fmt.Errorf("%w: --missing needs a configuration, which names the key sets; leave out --module", cli.ErrUsage)
			}
			if g.missing {
				return k.work(cmd.Context(), func(a *keyadmin.Admin) error { return g.generateMissing(cmd, k, a) })
			}
			if err := k.describe(args[0], g.alg, g.bits); err != nil {
				return err
			}
			return k.work(cmd.Context(), func(a *keyadmin.Admin) error {
				key, err := g.generate(cmd, a, args[0])
				if err != nil {
					return err
				}
				return g.output.Print(cmd.OutOrStdout(), key.Document(), func(out io.Writer) error { return k.reportGenerated(out, key) })
			})
		},
	}
	cmd.Flags().StringVar(&g.alg, "alg", "", "with --module: JOSE `algorithm`, such as ES256")
	cmd.Flags().IntVar(&g.bits, "bits", 0, "with --module: `size` of an RSA key (default 3072)")
	cmd.Flags().BoolVar(&g.another, "another", false, "generate a version even if the next one already exists")
	cmd.Flags().BoolVar(&g.missing, "missing", false, "generate the first version of every key set that has none")
	g.output.RegisterWithJSON(cmd)
	cmd.MarkFlagsMutuallyExclusive("missing", "another")
	return cmd
}

func (g *generating) args(cmd *cobra.Command, args []string) error {
	switch {
	case g.missing && len(args) > 0:
		return errors.New("--missing is for all key sets; leave out the name, or --missing")
	case !g.missing && len(args) == 0:
		return errors.New("name a key set, or use --missing for all that have no version")
	}
	return cobra.MaximumNArgs(1)(cmd, args)
}

func (g *generating) generate(cmd *cobra.Command, a *keyadmin.Admin, set string) (keyadmin.Key, error) {
	line := progress.Show(cmd.Context(), cmd.ErrOrStderr(), progress.Task{
		Name: fmt.Sprintf("generating %s", a.TypeOf(set)), Interrupted: "the HSM can't be interrupted; exiting after this key",
	})
	defer line.Stop()
	return a.Generate(set, g.another)
}

// generateMissing reports what was generated even if a later key fails.
func (g *generating) generateMissing(cmd *cobra.Command, k *keyTool, a *keyadmin.Admin) error {
	sets, err := a.Missing()
	if err != nil {
		return err
	}
	var keys []keyadmin.Key
	for _, set := range sets {
		key, failed := g.generate(cmd, a, set)
		if failed != nil {
			err = fmt.Errorf("%s: %w", set, failed)
			break
		}
		keys = append(keys, key)
	}
	documents := []keyadmin.KeyDocument{}
	for _, key := range keys {
		documents = append(documents, key.Document())
	}
	return errors.Join(err, g.output.Print(cmd.OutOrStdout(), documents, func(out io.Writer) error {
		if len(sets) == 0 {
			_, err := fmt.Fprintln(out, "nothing to generate: every key set has a version")
			return err
		}
		for n, key := range keys {
			if n > 0 {
				fmt.Fprintln(out)
			}
			if err := k.reportGenerated(out, key); err != nil {
				return err
			}
		}
		return nil
	}))
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

func (k *keyTool) reportGenerated(out io.Writer, key keyadmin.Key) error {
	_, err := fmt.Fprintf(out, "generated %s\n  kid    %s\n  alg    %s\n  state  %s, %s\n\n%s\n",
		key.Label, key.Kid, key.Alg, key.State, key.Outlook(now()), k.registration(key))
	return err
}

// registration says how receivers get a key.
func (k *keyTool) registration(key keyadmin.Key) string {
	kid := key.Kid
	if strings.HasPrefix(kid, "-") {
		kid = "kid:" + kid
	}
	switch {
	case k.config != nil && k.config.Keys[key.Set].Use == config.UseRaw:
		return "Receivers verify its signatures with the public key: " + k.command("show "+kid+" --pem")
	case key.Uncertified:
		return "A grant needs its certificate: " + k.command("csr "+kid+" --subject NAME") + ", then " + k.command("import-cert "+kid)
	}
	return "To register the key by hand: " + k.command("show "+kid+" --jwk")
}

// command is a key command for the same token, to paste into a shell.
func (k *keyTool) command(args string) string {
	text := "assertd key " + args
	for _, flag := range []struct{ name, value, normal string }{
		{"--config", k.path, defaultConfig}, {"--on", k.on, ""},
		{"--module", k.module, ""}, {"--token", k.label, ""}, {"--serial", k.serial, ""}, {"--pin-file", k.file, ""},
	} {
		if flag.value != flag.normal && (flag.name != "--config" || k.module == "") {
			text += " " + flag.name + " " + quoted(flag.value)
		}
	}
	return text
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_./:@%+=,-]+$`)

// quoted is a word for a shell.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
