package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/progress"
	"github.com/assertd/assertd/internal/terminal"
	"github.com/assertd/assertd/internal/trustpath"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "verify the audit log and prove its records",
		Long: "Verifies the audit log and proves its records. All commands except \"key\", \"accept-damage\" and\n" +
			"\"accept-rollback\" need only the files: they run on any machine, without\n" +
			"the daemon and without an HSM.",
	}
	cli.Group(cmd)
	cmd.AddCommand(auditVerifyCommand(), auditProveCommand(), auditCheckCommand(), auditCheckpointCommand(), auditKeyCommand(), auditAcceptDamageCommand(), auditAcknowledgeCommand())
	return cmd
}

// auditFlags are the flags that the commands on files share.
type auditFlags struct {
	keys  []string
	known []string
	all   bool
	requirements
	witnesses witnessFlags
}

func (f *auditFlags) keyFlag(cmd *cobra.Command) {
	cmd.Flags().StringArrayVarP(&f.keys, "key", "k", nil, "public `key` that signs checkpoints, as printed by \"assertd audit key\", or a file of such keys; may be repeated")
}

func (f *auditFlags) register(cmd *cobra.Command) {
	f.keyFlag(cmd)
	cmd.Flags().StringArrayVar(&f.known, "known", nil, "`file` with a checkpoint stored elsewhere, to detect that the end was cut off; may be repeated")
	cmd.Flags().BoolVarP(&f.all, "all", "A", false, "include the rotated files next to each FILE")
}

// options reads the files that the flags name.
func (f *auditFlags) options() (audit.VerifyOptions, error) {
	verifiers, err := readVerifiers(f.keys)
	if err != nil {
		return audit.VerifyOptions{}, err
	}
	o := audit.VerifyOptions{Verifiers: verifiers, All: f.all}
	for _, path := range f.known {
		checkpoint, err := trustpath.ReadRegular(path)
		if err != nil {
			return o, err
		}
		o.Known = append(o.Known, checkpoint)
	}
	return o, nil
}

// readVerifiers reads the keys of checkpoints.
func readVerifiers(keys []string) ([]note.Verifier, error) {
	return readKeys(keys, func(line string) (note.Verifier, error) {
		verifier, err := audit.ParseVerifier(line)
		if err != nil {
			err = fmt.Errorf("%w; \"assertd audit key\" prints it", err)
		}
		return verifier, err
	})
}

// readKeys takes each key as text or, if it does not look like one, as the name
// of a file with a key on each line. A key that comes again counts once: the
// note package takes two for an ambiguity, which looks like a bad signature.
func readKeys(keys []string, parse func(string) (note.Verifier, error)) ([]note.Verifier, error) {
	var verifiers []note.Verifier
	for _, key := range keys {
		lines := key
		if strings.Count(key, "+") < 2 {
			text, err := trustpath.ReadRegular(key)
			if err != nil {
				return nil, err
			}
			lines = string(text)
		}
		for line := range strings.Lines(lines) {
			if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			verifier, err := parse(line)
			if err != nil {
				return nil, err
			}
			known := func(v note.Verifier) bool { return v.Name() == verifier.Name() && v.KeyHash() == verifier.KeyHash() }
			if !slices.ContainsFunc(verifiers, known) {
				verifiers = append(verifiers, verifier)
			}
		}
	}
	return verifiers, nil
}

func auditVerifyCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "verify FILE...",
		Short: "verify that the log is complete and in order",
		Long: "Verifies that the files hold all lines that the daemon wrote, unchanged and in order. With --key it\n" +
			"checks them against the signed checkpoints. Without, it checks only that the lines form an unbroken\n" +
			"chain. If a line is bad, it names the first one and exits with 1. If all are good, it says which records\n" +
			"are proven and which are not. With --witness and --quorum it also says how many of them that many\n" +
			"witnesses have cosigned.",
		Example: "  assertd audit verify --all --key audit.pub /var/log/assertd/audit.jsonl\n" +
			"  assertd audit verify --all --key audit.pub --known kept --from-start \\\n    --output json audit.jsonl",
		Args: cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.verify(cmd.Context(), args, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd)
	f.requirements.register(cmd)
	f.witnesses.register(cmd)
	return cmd
}

func (f *auditFlags) verify(ctx context.Context, files []string, out, stderr io.Writer) error {
	o, err := f.options()
	if err != nil {
		return err
	}
	f.require(&o)
	if err := f.witnesses.require(&o); err != nil {
		return err
	}
	bar := showReading(ctx, stderr, "verifying the log", &o)
	report, err := audit.Verify(ctx, files, o)
	bar.Stop()
	v, err := judge(report, err, len(o.Verifiers) > 0)
	if err != nil {
		return err
	}
	return v.print(out, f.output)
}

// showReading shows on stderr how much of the log is read.
func showReading(ctx context.Context, stderr io.Writer, name string, o *audit.VerifyOptions) *progress.Line {
	line := progress.Show(ctx, stderr, progress.Task{Name: name, Unit: progress.Bytes})
	o.Progress = line.Set
	return line
}

func auditProveCommand() *cobra.Command {
	var f auditFlags
	var jti string
	cmd := &cobra.Command{
		Use:   "prove --jti JTI FILE...",
		Short: "print a proof that an assertion is in the log",
		Long: "Prints a proof of inclusion (C2SP tlog-proof) for the record of one assertion. With the proof and the\n" +
			"public key, anyone can verify that the log has the record, without seeing the rest of the log.",
		Example: "  assertd audit prove --jti \"$jti\" --key audit.pub audit.jsonl > proof\n  assertd audit check --key audit.pub proof",
		Args:    cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if jti == "" || len(f.keys) == 0 {
				return fmt.Errorf("%w: --jti and --key are required", cli.ErrUsage)
			}
			o, err := f.options()
			if err != nil {
				return err
			}
			bar := showReading(cmd.Context(), cmd.ErrOrStderr(), "proving the record", &o)
			proof, err := audit.Prove(cmd.Context(), args, jti, o)
			bar.Stop()
			if err != nil {
				return err
			}
			_, err = terminal.Data(cmd.OutOrStdout()).Write(proof)
			return err
		},
	}
	f.register(cmd)
	cmd.Flags().StringVar(&jti, "jti", "", "the assertion's `jti`")
	return cmd
}

// provenRecord is the result of "check".
type provenRecord struct {
	Seq    int64           `json:"seq"`
	Origin string          `json:"origin"` // of the log
	Size   int64           `json:"size"`   // records that the checkpoint covers
	Record json.RawMessage `json:"record"`
}

func auditCheckCommand() *cobra.Command {
	var f auditFlags
	var output cli.Output
	cmd := &cobra.Command{
		Use:   "check PROOF",
		Short: "verify a proof from \"prove\" and show its record",
		Args:  cli.Args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(f.keys) == 0 {
				return fmt.Errorf("%w: --key is missing; assertd audit key prints the key", cli.ErrUsage)
			}
			verifiers, err := readVerifiers(f.keys)
			if err != nil {
				return err
			}
			proof, err := trustpath.ReadRegular(args[0])
			if err != nil {
				return err
			}
			proven, err := audit.CheckProof(proof, verifiers)
			if err != nil {
				return err
			}
			result := provenRecord{proven.Seq, proven.Checkpoint.Origin, proven.Checkpoint.Size, proven.Line}
			return output.Print(cmd.OutOrStdout(), result, func(out io.Writer) error {
				fmt.Fprintf(cmd.ErrOrStderr(), "proven: record %d of the log %s, by a signed checkpoint over %s\n",
					result.Seq, result.Origin, plural.Of(result.Size, "record"))
				_, err = fmt.Fprintf(terminal.Data(out), "%s\n", result.Record)
				return err
			})
		},
	}
	f.keyFlag(cmd)
	output.Register(cmd)
	return cmd
}

func auditCheckpointCommand() *cobra.Command {
	var f auditFlags
	cmd := &cobra.Command{
		Use:   "checkpoint FILE...",
		Short: "print the newest checkpoint, to store elsewhere",
		Long: "Verifies the log like \"verify\" and prints its newest signed checkpoint. Store it where the daemon\n" +
			"can't change it. Passed to a later \"verify\" as --known, it shows if the end was cut off.",
		Example: "  assertd audit checkpoint --all --key audit.pub \\\n" +
			"    /var/log/assertd/audit.jsonl > kept",
		Args: cli.Args(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(f.keys) == 0 {
				return fmt.Errorf("%w: --key is missing; assertd audit key prints the key", cli.ErrUsage)
			}
			o, err := f.options()
			if err != nil {
				return err
			}
			return printCheckpoint(cmd.Context(), args, o, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	f.register(cmd)
	return cmd
}

func printCheckpoint(ctx context.Context, files []string, o audit.VerifyOptions, out, stderr io.Writer) error {
	bar := showReading(ctx, stderr, "verifying the log", &o)
	report, err := audit.Verify(ctx, files, o)
	bar.Stop()
	if err != nil {
		return err
	}
	if report.Newest == nil {
		return errors.New("none of the given keys signed a checkpoint; check that they belong to this log and that it has one")
	}
	_, err = out.Write(report.Newest)
	return err
}

func auditKeyCommand() *cobra.Command {
	var from tokens
	cmd := &cobra.Command{
		Use:   "key",
		Short: "print the public keys of the log's checkpoints",
		Long: "Prints the public keys that sign the checkpoints of the audit log, straight from the HSM: one\n" +
			"on each line, of every version that is on it. Keep them where the log's writer can't change them,\n" +
			"and keep those of versions that are removed: older checkpoints are verified with them.",
		Args: cli.Args(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := from.load()
			if err != nil {
				return err
			}
			return from.read(cmd.Context(), c, cmd.ErrOrStderr(), func(_ context.Context, i *inspect.Inspection) error {
				keys, err := i.CheckpointKeys()
				if err != nil {
					return err
				}
				_, err = fmt.Fprintln(cmd.OutOrStdout(), strings.Join(keys, "\n"))
				return err
			})
		},
	}
	from.register(cmd)
	return cmd
}
