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
	socket := filepath.Join(dir, "assertd.sock")
	fmt.Fprintf(out, `
assertd is ready. Everything is in %s: a SoftHSM token, its PIN, keys and the configuration.
In another terminal, try:

  %s --socket %s assert --decode
  curl --unix-socket %s -H 'Content-Type: application/json' -d '{}' http://assertd/v1/assertions
  %s jwks --config %s

Press Ctrl-C to stop. The next run uses the same keys.

`, dir, sibling(os.Args[0], "assertctl"), socket, socket, os.Args[0], filepath.Join(dir, "assertd.yaml"))
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
