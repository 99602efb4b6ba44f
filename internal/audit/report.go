package audit

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Report is the result of Verify.
type Report struct {
	Files           int       `json:"files"`
	First           int64     `json:"first"`       // number of the first line; not 0 if earlier files were not given
	Lines           int64     `json:"lines"`       // from the first to the last
	Size            int64     `json:"size"`        // of the tree at the end: the number of the last line, plus 1
	Root            tlog.Hash `json:"root"`        // of the tree at the end
	Covered         int64     `json:"covered"`     // size that the newest verified checkpoint (in the files or known) covers
	Known           int64     `json:"known"`       // size that the newest known checkpoint covers; 0 if none was given
	Unproven        int64     `json:"unproven"`    // lines at the end that no verified checkpoint covers, without the checkpoint's own
	Checkpoints     int       `json:"checkpoints"` // with a verified signature
	Unverified      int       `json:"unverified"`  // checkpoints by keys that were not given
	Recoveries      int       `json:"recoveries"`  // lines about an outage, a torn line, or a file that someone else changed
	Gaps            []Gap     `json:"gaps,omitempty"`
	Witnessed       int64     `json:"witnessed"`       // size that a quorum of the given witnesses has cosigned
	Acknowledgments int       `json:"acknowledgments"` // rollbacks that a person accepted
	Apart           int       `json:"set_apart"`       // files with torn lines; none has a line of the log
	Torn            int64     `json:"torn"`            // bytes of an incomplete last line: still being written, or torn by the end of the process
	Newest          []byte    `json:"-"`               // newest verified checkpoint in the files, to store elsewhere as a later Known; nil if none
}

// Gap is a range of records that were damaged, and that a person accepted as
// lost.
type Gap struct {
	// Unproven is the first record that nothing proves: the lines between the last
	// checkpoint and the gap, if the damaged file is not among the files.
	Unproven int64 `json:"unproven"`

	First  int64     `json:"first"`
	Last   int64     `json:"last"`
	File   string    `json:"file"` // that had them
	Time   time.Time `json:"time"` // of the acceptance
	Reason string    `json:"reason"`
}

// Summary says in a sentence what was proven, from which record to which, and
// what was not.
func (r Report) Summary() string {
	var s strings.Builder
	last := r.Size - 1
	switch proven := min(last-r.Unproven, r.Covered-1); {
	case r.Checkpoints == 0:
		fmt.Fprintf(&s, "%s %s an unbroken chain, but no checkpoint signature was verified: "+
			"anyone with write access to the files could have rewritten it all", records(r.First, last), verb(r.First, last, "forms", "form"))
	case proven < r.First:
		fmt.Fprintf(&s, "%s %s an unbroken chain, but no checkpoint covers it: "+
			"anyone with write access to the files could have changed, added or cut off lines", records(r.First, last), verb(r.First, last, "forms", "form"))
	default:
		fmt.Fprintf(&s, "signed checkpoints prove that %s %s complete, unchanged and in order", records(r.First, proven), verb(r.First, proven, "is", "are"))
		if r.Unproven > 0 {
			fmt.Fprintf(&s, "; no checkpoint covers %s, which anyone with write access to the files could have changed, added or cut off",
				records(proven+1, last))
		} else if proven < last { // someone can still change its time, for example
			fmt.Fprintf(&s, "; %s is the newest checkpoint itself", records(last, last))
		}
	}
	if r.First > 0 {
		fmt.Fprintf(&s, "; %s, before these files, %s not checked", records(0, r.First-1), verb(0, r.First-1, "was", "were"))
	}
	for _, g := range r.Gaps {
		if g.Last < g.First { // the damage was behind the last record
			continue
		}
		fmt.Fprintf(&s, "; except that %s %s damaged in %s, which a person accepted on %s: %q",
			records(g.First, g.Last), verb(g.First, g.Last, "was", "were"), g.File, g.Time.Format(time.DateOnly), g.Reason)
		if g.Unproven < g.First {
			fmt.Fprintf(&s, ", and that nothing proves %s without that file", records(g.Unproven, g.First-1))
		}
	}
	return s.String() + r.end()
}

// end says what is known about lines after the last one.
func (r Report) end() string {
	switch {
	case r.Known >= r.Size-1 && r.Known > 0: // the newest line can be the known checkpoint's own
		return "; the log was at least this long when the known checkpoint was signed"
	case r.Known > 0:
		return fmt.Sprintf("; the known checkpoint covers %s; if the log had more than these files, only a later one can show it", records(0, r.Known-1))
	}
	return "; without a checkpoint kept elsewhere (--known), the files can't show whether lines after the last one were cut off"
}

func records(first, last int64) string {
	if first == last {
		return fmt.Sprintf("record %d", first)
	}
	return fmt.Sprintf("records %d to %d", first, last)
}

// verb is the form of a verb that fits the records.
func verb(first, last int64, one, more string) string {
	if first == last {
		return one
	}
	return more
}

// complete checks what the options require of the files.
func (r Report) complete(o VerifyOptions) error {
	switch {
	case o.FromStart && r.First > 0:
		return fmt.Errorf("%w: it starts with record %d, and %s %s missing; add the earlier files", ErrIncomplete, r.First, records(0, r.First-1), verb(0, r.First-1, "is", "are"))
	case o.FromStart && len(r.Gaps) > 0:
		return fmt.Errorf("%w: %s were damaged; restore them from a copy, or leave out --from-start", ErrIncomplete, records(r.Gaps[0].First, r.Gaps[0].Last))
	case o.Quorum > 0 && r.Witnessed == 0:
		return fmt.Errorf("%w: fewer than %d of the given witnesses cosigned it; check the keys, and when the witnesses were away", ErrIncomplete, o.Quorum)
	case r.Size < o.MinSize:
		return fmt.Errorf("%w: it has %d records, and at least %d are required; look for the missing files", ErrIncomplete, r.Size, o.MinSize)
	}
	return nil
}
