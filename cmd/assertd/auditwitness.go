package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/plural"
)

// witnessFlags are what "verify" requires of witnesses.
type witnessFlags struct {
	keys   []string
	quorum int
}

func (f *witnessFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.keys, "witness", nil, "public `key` of a witness, or a file of such keys; may be repeated")
	cmd.Flags().IntVar(&f.quorum, "quorum", 0, "fail unless this `number` of the witnesses has cosigned (default all)")
}

// require reads the keys and completes the quorum.
func (f *witnessFlags) require(o *audit.VerifyOptions) (err error) {
	if o.Witnesses, err = readKeys(f.keys, witness.ParseKey); err != nil {
		return err
	}
	o.Quorum = cmp.Or(f.quorum, len(o.Witnesses))
	if o.Quorum < 0 || o.Quorum > len(o.Witnesses) {
		return fmt.Errorf("%w: --quorum is %d, but there %s; want 1 to that number", cli.ErrUsage, o.Quorum,
			plural.Verb(len(o.Witnesses), "is ", "are ")+plural.Of(len(o.Witnesses), "--witness key"))
	}
	return nil
}

// acceptedRollback is the result of accept-rollback.
type acceptedRollback struct {
	Size   int64  `json:"size"`
	Reason string `json:"reason"`
}

func auditAcknowledgeCommand() *cobra.Command {
	var path string
	var a audit.Acknowledgment
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "accept-rollback --size SIZE --reason TEXT",
		Short: "accept that lines of a rolled-back log are lost",
		Long: "Accepts that the log lost lines, so that the daemon starts again. Run it as the daemon's user while the\n" +
			"daemon is stopped. Restore the lines from a copy instead if there is one. The log gets a line with\n" +
			"the user, the reason and the size. The command asks the anchor and the witnesses, and refuses a size\n" +
			"that none of them remembers. Witnesses will not cosign the log under its old name again: set a new\n" +
			"audit.origin and register it with them.",
		Example: "  assertd audit accept-rollback --size 4711 --reason \"restored from backup\"",
		Args:    cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if a.Size <= 0 || a.Reason == "" {
				return fmt.Errorf("%w: --size and --reason are required", cli.ErrUsage)
			}
			c, err := config.Load(path)
			if err != nil {
				return err
			}
			askWitnesses(cmd.Context(), c.Audit, &a, cmd.ErrOrStderr())
			o := audit.Options{File: c.Audit.File, Sync: audit.Sync(c.Audit.Sync), Anchor: c.Audit.Anchor, Trust: c.Trust()}
			if err := audit.Acknowledge(o, a); err != nil {
				return err
			}
			return output.Print(cmd.OutOrStdout(), acceptedRollback{Size: a.Size, Reason: a.Reason}, func(out io.Writer) error {
				_, err := fmt.Fprintf(out, "accepted: what others remember of %s no longer stops the daemon\n", recordRange(0, a.Size-1))
				return err
			})
		},
	}
	configFlag(cmd, &path)
	output.Register(cmd)
	cmd.Flags().Int64Var(&a.Size, "size", 0, "number of `lines` that others remember, from the daemon's error")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "why the lines are lost, for the `text` in the log")
	return cmd
}

// askWitnesses finds out what the witnesses remember. Without an answer from
// each, the size is checked less strictly.
func askWitnesses(ctx context.Context, settings config.Audit, a *audit.Acknowledgment, warnings io.Writer) {
	if len(settings.Witnesses) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	note, sent, err := audit.NewestNote(settings.File)
	for _, w := range settings.Witnesses {
		var size int64
		key, keyErr := witness.ParseKey(w.PublicKey)
		problem := cmp.Or(err, keyErr)
		if problem == nil {
			size, problem = witness.Config{URL: w.URL, Key: key}.Remembers(ctx, note, sent)
		}
		if a.Witnessed = max(a.Witnessed, size); problem != nil {
			a.Unasked = true
			fmt.Fprintf(warnings, "warning: the witness %s can't be asked, so make sure that the size is right: %v\n", w.URL, problem)
		}
	}
}
