package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/sdnotify"
)

type keepFlags struct {
	file, exec string
	once       bool
}

func (a *app) keepCommand() *cobra.Command {
	var flags keepFlags
	cmd := &cobra.Command{
		Use:   "keep --file FILE",
		Short: "keep a fresh assertion in a file",
		Long: "Writes an assertion to a file and renews it at half its lifetime, for programs\n" +
			"that read one from a file: AWS_WEB_IDENTITY_TOKEN_FILE,\n" +
			"AZURE_FEDERATED_TOKEN_FILE, Vault's JWT login. Replaces the file atomically,\n" +
			"with mode 0600; run assertctl as the user that reads it. Under systemd, a unit\n" +
			"with Type=notify is ready once the first assertion is in the file.",
		Example: "  assertctl keep --grant aws --file /run/app/token\n" +
			"  assertctl keep --file token --exec 'systemctl reload app'",
		Args: cli.Args(cobra.NoArgs),
	}
	request := a.requestFlags(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		keeper, err := a.keeper(cmd, request, flags)
		if err != nil {
			return err
		}
		if flags.once {
			_, _, err := keeper.Once(cmd.Context())
			return err
		}
		return keeper.Run(cmd.Context())
	}
	cmd.Flags().StringVarP(&flags.file, "file", "f", "", "`path` of the file")
	cmd.Flags().BoolVar(&flags.once, "once", false, "write one assertion and exit")
	cmd.Flags().StringVar(&flags.exec, "exec", "", "shell `command` to run after each renewal")
	if err := cmd.MarkFlagRequired("file"); err != nil {
		panic(err) // the flag is defined above
	}
	return cmd
}

func (a *app) keeper(cmd *cobra.Command, request *requestFlags, flags keepFlags) (*client.Keeper, error) {
	req, err := request.request(cmd)
	if err != nil {
		return nil, err
	}
	c, err := a.client()
	if err != nil {
		return nil, err
	}
	keeper, err := c.Keeper(client.KeeperOptions{
		Request: req, File: flags.file,
		Renewed: flags.renewed(cmd.ErrOrStderr(), sdnotify.New(os.Getenv("NOTIFY_SOCKET"))),
		Failed: func(err error, next time.Duration) {
			fmt.Fprintf(cmd.ErrOrStderr(), "assertctl: %v; retrying in %s\n", err, next)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cli.ErrUsage, err)
	}
	return keeper, nil
}

// renewed returns the function to call after each renewal: it notifies systemd
// and runs the user's command.
func (f keepFlags) renewed(stderr io.Writer, manager *sdnotify.Notifier) func(context.Context, time.Time) error {
	return func(ctx context.Context, expires time.Time) error {
		fmt.Fprintf(stderr, "assertctl: %s is valid until %s\n", f.file, expires.UTC().Format(time.RFC3339))
		if err := manager.Ready("assertion valid until " + expires.UTC().Format(time.RFC3339)); err != nil {
			return err
		}
		if f.exec == "" {
			return nil
		}
		// A command that hangs must not delay the next renewal.
		limit := time.Until(expires)
		if !f.once {
			limit /= 2
		}
		ctx, cancel := context.WithTimeout(ctx, limit)
		defer cancel()
		if err := shell(ctx, f.exec, stderr).Run(); err != nil {
			return fmt.Errorf("--exec: %w", err)
		}
		return nil
	}
}

// shell returns a shell command that is killed with all its children when ctx
// ends. If only the shell were killed, every renewal could leave a process
// behind.
func shell(ctx context.Context, text string, output io.Writer) *exec.Cmd {
	command := exec.CommandContext(ctx, "/bin/sh", "-c", text)
	command.Stdout, command.Stderr = output, output
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	return command
}
