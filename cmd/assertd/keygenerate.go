package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/internal/terminal"
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
				stop := progress(cmd.Context(), cmd.ErrOrStderr(), fmt.Sprintf("generating %s", a.TypeOf(args[0])))
				key, err := a.Generate(args[0], another)
				stop()
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

// progress shows the elapsed time on the terminal until stop is called: an HSM
// can take a minute for a large RSA key. If out is not a terminal it writes
// nothing.
func progress(ctx context.Context, out io.Writer, what string) (stop func()) {
	if _, ok := terminal.File(out); !ok {
		return func() {}
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		defer func() { _ = terminal.Control(out, eraseLine) }()
		ticker := time.NewTicker(200 * time.Millisecond)
		defer ticker.Stop()
		for began := time.Now(); ; {
			_ = terminal.Control(out, eraseLine)
			fmt.Fprintf(out, "%s … %ds%s", what, time.Since(began)/time.Second, interruptNote(ctx))
			select {
			case <-done:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() { close(done); <-ended }
}

// eraseLine is what a terminal obeys.
const eraseLine = "\r\033[K"

// interruptNote responds to Ctrl-C: a call into the module can't be canceled.
func interruptNote(ctx context.Context) string {
	if errors.Is(ctx.Err(), context.Canceled) {
		return " (the HSM can't be interrupted; exiting after this key)"
	}
	return ""
}
