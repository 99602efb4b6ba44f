package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/ipc"
)

// targetFlags name what to freeze or thaw.
type targetFlags struct {
	client, grant, key string
	all                bool
}

func (f *targetFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.client, "client", "", "the `client` of this name, with all its grants")
	cmd.Flags().StringVar(&f.grant, "grant", "", "one `grant`, as client/grant")
	cmd.Flags().StringVar(&f.key, "key", "", "the key `set` of this name, for all who use it")
	cmd.Flags().BoolVar(&f.all, "all", false, "everything")
	cmd.MarkFlagsMutuallyExclusive("client", "grant", "key", "all")
	cmd.MarkFlagsOneRequired("client", "grant", "key", "all")
}

func (f *targetFlags) target() (ipc.FreezeTarget, error) {
	target := ipc.FreezeTarget{Client: f.client, Key: f.key, All: f.all}
	if f.grant != "" {
		var both bool
		if target.Client, target.Grant, both = strings.Cut(f.grant, "/"); !both {
			return target, fmt.Errorf("%w: --grant %s: not of the form client/grant", cli.ErrUsage, f.grant)
		}
	}
	if target.Scope() == "" {
		return target, fmt.Errorf("%w: a name is empty; name the client, the grant or the key set", cli.ErrUsage)
	}
	return target, nil
}

// freezeFlags are the flags of freeze.
type freezeFlags struct {
	targetFlags
	length time.Duration
	reason string
}

func (f *freezeFlags) request(cmd *cobra.Command) (ipc.FreezeRequest, error) {
	target, err := f.target()
	request := ipc.FreezeRequest{FreezeTarget: target, ForSeconds: int64(f.length / time.Second), Reason: f.reason}
	if err == nil && cmd.Flags().Changed("for") && (request.ForSeconds < 1 || request.ForSeconds > ipc.MaxFreezeSeconds || f.length%time.Second != 0) {
		err = fmt.Errorf("%w: --for %s: use whole seconds from 1s to %dh", cli.ErrUsage, f.length, ipc.MaxFreezeSeconds/3600)
	}
	return request, err
}

func freezeCommand() *cobra.Command {
	var socket operatorFlag
	var output cli.Output
	var flags freezeFlags
	cmd := &cobra.Command{
		Use:   "freeze",
		Short: "sign nothing for a client, a grant or a key set (operators)",
		Long: "Makes the daemon sign nothing for a client, a grant, a key set, or anyone, at\n" +
			"once and until \"assertctl thaw\" or the end of --for. Callers get the error\n" +
			"frozen (403). A freeze survives reloads and restarts. The JWKS is still\n" +
			"published. \"assertctl status\" shows what is frozen.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		request, err := flags.request(cmd)
		if err != nil {
			return err
		}
		return socket.run(func(o *client.Operator) error {
			response, err := o.Freeze(cmd.Context(), request)
			if err != nil {
				return err
			}
			printWarnings(cmd.ErrOrStderr(), response.Warnings)
			return output.Print(cmd.OutOrStdout(), response, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "frozen: %s, %s\n", terminal.Text(response.Freeze.String()), until(response.Freeze))
				return err
			})
		})
	}
	flags.register(cmd)
	cmd.Flags().DurationVar(&flags.length, "for", 0, "thaw after this `time`, such as 90m; default: never")
	cmd.Flags().StringVar(&flags.reason, "reason", "", "`text` for those who find the freeze later")
	if err := cmd.MarkFlagRequired("reason"); err != nil {
		panic(err) // the flag is registered two lines above
	}
	socket.register(cmd)
	output.Register(cmd)
	return cmd
}

func thawCommand() *cobra.Command {
	var socket operatorFlag
	var output cli.Output
	var flags targetFlags
	cmd := &cobra.Command{
		Use:   "thaw",
		Short: "end a freeze (operators)",
		Long: "Ends the freeze that was made with the same flag. Other freezes stay, also\n" +
			"with --all, which ends the freeze of everything. The end is in the audit log\n" +
			"first: nothing is thawed that can't be recorded, if audit.required is true.",
		Args: cli.Args(cobra.NoArgs),
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		target, err := flags.target()
		if err != nil {
			return err
		}
		return socket.run(func(o *client.Operator) error { return thaw(cmd.Context(), cmd, o, target, output) })
	}
	flags.register(cmd)
	socket.register(cmd)
	output.Register(cmd)
	return cmd
}

func thaw(ctx context.Context, cmd *cobra.Command, o *client.Operator, target ipc.FreezeTarget, output cli.Output) error {
	response, err := o.Thaw(ctx, target)
	if err != nil {
		return err
	}
	printWarnings(cmd.ErrOrStderr(), response.Warnings)
	return output.Print(cmd.OutOrStdout(), response, func(out io.Writer) error {
		_, err := fmt.Fprintf(out, "thawed: %s\n", terminal.Text(response.Thawed.String()))
		return err
	})
}

func printWarnings(out io.Writer, warnings []string) {
	for _, w := range warnings {
		fmt.Fprintf(out, "assertctl: warning: %s\n", terminal.Text(w))
	}
}

func until(f ipc.Freeze) string {
	if f.Until.IsZero() {
		return "until it is thawed"
	}
	return "until " + f.Until.Format(time.RFC3339)
}

// printFreezes prints what is frozen, since when, until when, by whom and why.
func printFreezes(out io.Writer, now time.Time, s ipc.FreezeStatus) {
	for _, f := range s.Freezes {
		unknown := ""
		if f.Unknown {
			unknown = " (NOT IN THE CONFIGURATION)"
		}
		by := "by"
		if f.Reported {
			by = "reported by another host, by"
		}
		text := fmt.Sprintf("%s%s since %s, %s, %s uid %d pid %d on %s: %s", f, unknown, terminal.Ago(now, f.Since), until(f), by, f.By.UID, f.By.PID, terminal.Dash(f.By.Host), f.Reason)
		printError(out, "FROZEN", text)
	}
	printError(out, "FREEZES NOT SAVED", s.Error)
	if s.Fleet != nil {
		printError(out, "FREEZES NOT SHARED", s.Fleet.Error)
		if n := s.Fleet.Forged; n > 0 {
			printError(out, "FORGED FREEZES", plural.Of(n, "freeze")+" at the fleet's server that nobody with the fleet key made")
		}
	}
}
