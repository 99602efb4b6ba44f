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
	cmd.Flags().StringVar(&f.dir, "dir", ".assertd", "the `directory` for token, PIN, configuration and socket")
	cmd.Flags().StringVar(&f.module, "module", "", "the SoftHSM `module` (default: where distributions put it)")
}

func devCommand() *cobra.Command {
	var flags devFlags
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "run a daemon for development, from nothing",
		Long: "Makes a SoftHSM token with a random PIN, a key and a configuration in a directory of\n" +
			"their own, and runs the daemon on them. A second run uses what the first one made.",
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

// prepareInChild makes the token in a process of its own, so that the daemon's
// never has a PKCS#11 module loaded.
func prepareInChild(ctx context.Context, flags devFlags, stderr io.Writer) error {
	child := exec.CommandContext(ctx, "/proc/self/exe", prepareName, "--dir", flags.dir, "--module", flags.module)
	child.Stderr = stderr
	child.Cancel = func() error { return nil } // SoftHSM loses a token whose writer is killed; it is done in a moment
	if err := child.Run(); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.Exited() {
			return errSilent // the child said why
		}
		return fmt.Errorf("prepare %s: %w", flags.dir, err)
	}
	return nil
}

func prepareCommand() *cobra.Command {
	var flags devFlags
	cmd := &cobra.Command{
		Use:    prepareName,
		Short:  "make what assertd dev needs",
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

// greet says what to try, by the names under which the programs were found.
func greet(out io.Writer, dir string) {
	socket := filepath.Join(dir, "assertd.sock")
	fmt.Fprintf(out, `
assertd is ready. Everything lies in %s: a SoftHSM token, its PIN, keys, the configuration.
Try, in another terminal:

  %s --socket %s assert --decode
  curl --unix-socket %s -H 'Content-Type: application/json' -d '{}' http://assertd/v1/assertions
  %s jwks --config %s

Ctrl-C stops it. The next run finds its keys again.

`, dir, sibling(os.Args[0], "assertctl"), socket, socket, os.Args[0], filepath.Join(dir, "assertd.yaml"))
}

// sibling is how to start the program beside one that was started as self.
func sibling(self, name string) string {
	beside := self[:strings.LastIndex(self, "/")+1] + name
	if _, err := os.Stat(beside); err != nil {
		return name
	}
	return beside
}
