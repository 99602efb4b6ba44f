package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
)

func auditAcceptDamageCommand() *cobra.Command {
	var path string
	var a audit.Acceptance
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "accept-damage --reason TEXT",
		Short: "keep a damaged file as evidence and start a new one",
		Long: "Keeps the file that the daemon refuses to continue from, under a name with \"damaged\" and the time,\n" +
			"and starts a new one. Its second line has the reason, the user, and the old file's hash. The numbers\n" +
			"of the records go on, so none is used twice. Run it as root or as the daemon's user while the daemon\n" +
			"is stopped. Run \"assertd audit verify\" first: if a copy of the file is good, restore that instead.",
		Example: "  assertd audit accept-damage --reason \"disk error, ticket 4711\"",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.Reason == "" {
				return fmt.Errorf("%w: --reason is required", cli.ErrUsage)
			}
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			done, err := audit.AcceptDamage(audit.Options{File: c.Audit.File, Sync: audit.Sync(c.Audit.Sync), Trust: c.Trust()}, a)
			if err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), done, func(out io.Writer) error {
				_, err = fmt.Fprintf(out, "kept %s, damaged from record %d on; the log continues with record %d\n", done.Kept, done.Good, done.Next)
				return err
			})
		},
	}
	configFlag(cmd, &path)
	output.Register(cmd)
	cmd.Flags().StringVar(&a.Reason, "reason", "", "what happened, as `text` for the log")
	cmd.Flags().Int64Var(&a.Next, "next", 0, "`number` of the next record, if the damaged file can't be read to its end")
	return cmd
}
