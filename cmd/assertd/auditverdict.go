package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/cli"
	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/internal/terminal"
)

// requirements are what "verify" demands of the files besides good lines.
type requirements struct {
	fromStart bool
	minSize   int64
	output    cli.Output
}

func (r *requirements) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.fromStart, "from-start", false, "fail unless the files have all records from the first one on")
	cmd.Flags().Int64Var(&r.minSize, "min-size", 0, "fail if the log has fewer `records`, from its start on")
	r.output.Register(cmd)
}

func (r *requirements) require(o *audit.VerifyOptions) {
	o.FromStart, o.MinSize = r.fromStart, r.minSize
}

// verdict is the result of "verify".
type verdict struct {
	OK      bool           `json:"ok"`
	Summary string         `json:"summary,omitempty"`
	Report  *audit.Report  `json:"report,omitempty"`  // absent if a line is bad
	Bad     *audit.BadLine `json:"bad,omitempty"`     // the first bad line
	Problem string         `json:"problem,omitempty"` // what else is wrong
}

// judge turns what Verify returned into a verdict, or returns the error if
// there is none.
func judge(r audit.Report, err error, withKeys bool) (verdict, error) {
	var bad *audit.BadLine
	switch {
	case errors.As(err, &bad):
		return verdict{Bad: bad}, nil
	case errors.Is(err, audit.ErrIncomplete):
		return verdict{Summary: r.Summary(), Report: &r, Problem: err.Error()}, nil
	case err != nil:
		return verdict{}, err
	case withKeys && r.Checkpoints == 0:
		return verdict{Summary: r.Summary(), Report: &r,
			Problem: "none of the given keys signed a checkpoint; check that they belong to this log and that it has one"}, nil
	}
	return verdict{OK: true, Summary: r.Summary(), Report: &r}, nil
}

// print prints the verdict. The error is errSilent for one that is not ok.
func (v verdict) print(out io.Writer, format cli.Output) error {
	if err := format.Print(out, v, v.printText); err != nil {
		return err
	}
	if !v.OK {
		return errSilent
	}
	return nil
}

func (v verdict) printText(out io.Writer) error {
	switch {
	case v.Bad != nil:
		_ = terminal.Paint(out, terminal.Bad, "BAD") // the write below reports it
		_, err := fmt.Fprintf(out, " %s:%d: %s: %s\n", v.Bad.File, v.Bad.Line, v.Bad.Problem, v.Bad.Detail)
		return err
	case v.OK:
		return printReport(out, *v.Report, "ok", terminal.Good)
	case v.Report.Checkpoints == 0:
		_ = printReport(out, *v.Report, "NOT PROVEN", terminal.Bad) // as above
	default:
		_ = printReport(out, *v.Report, "INCOMPLETE", terminal.Bad)
	}
	_, err := fmt.Fprintf(out, "    %s\n", v.Problem)
	return err
}

func printReport(out io.Writer, r audit.Report, word string, color terminal.Color) error {
	_ = terminal.Paint(out, color, word+":") // the writes below report it
	fmt.Fprintf(out, " %s\n", r.Summary())
	_, err := fmt.Fprintf(out, "    %s, %s, %s verified, root %s\n",
		plural.Of(r.Files, "file"), recordRange(r.First, r.Size-1), plural.Of(r.Checkpoints, "checkpoint"), r.Root)
	for _, extra := range []struct {
		count          int64
		noun, one, all string
	}{
		{int64(r.Unverified), "checkpoint", "is by a key that was not given", "are by keys that were not given"},
		{r.Witnessed, "record", "is cosigned by a quorum of the given witnesses", "from the first one on are cosigned by a quorum of the given witnesses"},
		{int64(r.Acknowledgments), "line", "accepts a rollback (kind acknowledgment): lines that others remember are missing",
			"accept a rollback (kind acknowledgment): lines that others remember are missing"},
		{int64(r.Recoveries), "line", "reports a recovery (kind recovery): an outage, a torn line or a changed file",
			"report a recovery (kind recovery): an outage, a torn line or a changed file"},
		{int64(r.Apart), "file", "was set apart as torn; it has no line of the log", "were set apart as torn; none has a line of the log"},
		{r.Torn, "byte", "at the end is an incomplete line", "at the end are an incomplete line"},
	} {
		if extra.count > 0 {
			_, err = fmt.Fprintf(out, "    %s %s\n", plural.Of(extra.count, extra.noun), plural.Verb(extra.count, extra.one, extra.all))
		}
	}
	return err
}

func recordRange(first, last int64) string {
	if first == last {
		return fmt.Sprintf("record %d", first)
	}
	return fmt.Sprintf("records %d to %d", first, last)
}
