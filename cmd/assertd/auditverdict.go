package main

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/cli"
)

// requirements are what "verify" demands of the files besides good lines.
type requirements struct {
	fromStart bool
	minSize   int64
	output    string
}

func (r *requirements) register(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&r.fromStart, "from-start", false, "fail unless the files have all records from the first one on")
	cmd.Flags().Int64Var(&r.minSize, "min-size", 0, "fail if the log has fewer `records`, from its start on")
	cmd.Flags().StringVarP(&r.output, "output", "o", "text", "`format` of the result: text or json")
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
func (v verdict) print(out io.Writer, format string) error {
	switch format {
	case "json":
		if err := printJSON(out, v); err != nil {
			return err
		}
	case "text":
		v.printText(out)
	default:
		return fmt.Errorf("%w: --output is text or json, not %q", cli.ErrUsage, format)
	}
	if !v.OK {
		return errSilent
	}
	return nil
}

func (v verdict) printText(out io.Writer) {
	switch {
	case v.Bad != nil:
		fmt.Fprintf(out, "BAD %s:%d: %s: %s\n", v.Bad.File, v.Bad.Line, v.Bad.Problem, v.Bad.Detail)
	case v.OK:
		printReport(out, *v.Report, "ok")
	case v.Report.Checkpoints == 0:
		printReport(out, *v.Report, "NOT PROVEN")
		fmt.Fprintf(out, "    %s\n", v.Problem)
	default:
		printReport(out, *v.Report, "INCOMPLETE")
		fmt.Fprintf(out, "    %s\n", v.Problem)
	}
}

func printReport(out io.Writer, r audit.Report, word string) {
	fmt.Fprintf(out, "%s: %s\n", word, r.Summary())
	fmt.Fprintf(out, "    %d files, records %d to %d, %d checkpoints verified, root %s\n", r.Files, r.First, r.Size-1, r.Checkpoints, r.Root)
	for _, extra := range []struct {
		count int64
		text  string
	}{
		{int64(r.Unverified), "checkpoints are by keys that were not given"},
		{r.Witnessed, "records, from the first one on, are cosigned by a quorum of the given witnesses"},
		{int64(r.Acknowledgments), "lines accept a rollback (kind acknowledgment): lines that others remember are missing"},
		{int64(r.Recoveries), "lines report a recovery (kind recovery): an outage, a torn line or a changed file"},
		{int64(r.Apart), "files were set apart as torn; none has a line of the log"},
		{r.Torn, "bytes at the end are an incomplete line"},
	} {
		if extra.count > 0 {
			fmt.Fprintf(out, "    %d %s\n", extra.count, extra.text)
		}
	}
}
