package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/dev"
)

const prepareName = "dev-prepare"

type devFlags struct{ dir, module string }

func (f *devFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.dir, "dir", ".assertd", "`directory` for the token, PIN, configuration and socket")
	cmd.Flags().StringVar(&f.module, "module", "", "`path` of the SoftHSM module (default: where distributions install it)")
}

func devCommand() *cobra.Command {
	var flags devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "run a development daemon, with no setup",
		Long: "Creates a directory with a SoftHSM token, a random PIN, keys and a configuration, and runs\n" +
			"the daemon with them. Later runs use what the first one created.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runDev(cmd.Context(), flags, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags.register(cmd)
	return cmd
}

func runDev(ctx context.Context, flags devFlags, stdout, stderr io.Writer) error {
	layout, err := dev.LayoutOf(flags.dir)
	if err != nil {
		return err
	}
	if flags.module == "" {
		if flags.module, err = dev.FindModule(); err != nil {
			return err
		}
	}
	if err := prepareInChild(ctx, flags, stderr); err != nil {
		return err
	}
	return serve(ctx, layout.Config, func() { greet(stdout, flags.dir) })
}

// prepareInChild creates the token in a child process, so that the daemon's own
// process never loads a PKCS#11 module.
func prepareInChild(ctx context.Context, flags devFlags, stderr io.Writer) error {
	child := exec.CommandContext(ctx, "/proc/self/exe", prepareName, "--dir", flags.dir, "--module", flags.module)
	child.Stderr = stderr
	child.Cancel = func() error { return nil } // a kill could destroy the token, and this takes only a moment
	if err := child.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Exited() {
			return errSilent // the child has printed why
		}
		return fmt.Errorf("prepare %s: %w", flags.dir, err)
	}
	return nil
}

func prepareCommand() *cobra.Command {
	var flags devFlags
	cmd := &cobra.Command{
		Use:    prepareName,
		Short:  "set up the directory for assertd dev",
		Hidden: true,
		Args:   cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			layout, err := dev.LayoutOf(flags.dir)
			if err != nil {
				return err
			}
			return dev.Prepare(cmd.Context(), layout, flags.module, now())
		},
	}
	flags.register(cmd)
	return cmd
}

// greet prints commands to try, with the names by which the programs were
// found.
func greet(out io.Writer, dir string) {
	in := func(name string) string { return filepath.Join(dir, name) }
	assertd, assertctl := os.Args[0], sibling(os.Args[0], "assertctl")
	fmt.Fprintf(out, `
assertd is ready. Everything is in %[1]s: a SoftHSM token, its PIN, keys and the configuration.
In another terminal:

  export ASSERTD_SOCKET=%[2]s
  export ASSERTD_OPERATOR_SOCKET=%[3]s

As a developer:
  %[4]s assert --decode
  %[4]s grants
  curl --unix-socket $ASSERTD_SOCKET -H 'Content-Type: application/json' -d '{}' http://assertd/v1/assertions

As the security team:
  %[5]s explain --config %[6]s --user $(id -un)
  %[5]s key list --config %[6]s
  %[5]s jwks --config %[6]s

On call:
  %[4]s status
  %[4]s bench
  %[5]s audit verify %[7]s

Press Ctrl-C to stop. The next run uses the same keys.

`, dir, in("assertd.sock"), in("operator.sock"), assertctl, assertd, in("assertd.yaml"), in("audit.jsonl"))
}

// sibling returns how to start a program that is next to the one started as
// self.
func sibling(self, name string) string {
	path := self[:strings.LastIndex(self, "/")+1] + name
	if _, err := os.Stat(path); err != nil {
		return name
	}
	return path
}
