package jwks

import (
	"fmt"
	"strings"

	"github.com/assertd/assertd/internal/plural"
)

// FindingKind says how a key in a receiver's copy differs from ours.
type FindingKind string

// The kinds of findings.
const (
	KeyMissing FindingKind = "missing" // the receiver can't verify this key's signatures
	KeyDiffers FindingKind = "differs" // the receiver has it, but with other members
	KeyExtra   FindingKind = "extra"   // the receiver has it, but it is not ours, or no longer
)

// Finding is one difference. Kid is ours, or theirs for KeyExtra.
type Finding struct {
	Kind    FindingKind `json:"kind"`
	Kid     string      `json:"kid,omitempty"`
	Alg     string      `json:"alg,omitempty"`
	Details []string    `json:"details,omitempty"`
}

// Difference lists how a receiver's copy differs from ours.
type Difference struct {
	Findings []Finding `json:"findings,omitempty"` // missing, then differing, then extra keys
	Same     int       `json:"same"`               // keys that match ours
	Foreign  int       `json:"foreign,omitempty"`  // keys of kinds that assertd never makes; not compared
}

// Diff compares the set that a receiver has with the one it should have. It
// recognizes a key with no kid, or with another one, by its thumbprint. Extra
// keys are reported but do no harm: a receiver may keep them.
func Diff(have, want Set) Difference {
	d := Difference{Foreign: have.foreign}
	missing, differing := []Finding{}, []Finding{}
	matched := make([]bool, len(have.entries))
	for _, wanted := range want.entries {
		finding := Finding{Kid: wanted.key.Kid, Alg: wanted.key.Alg}
		at := have.find(wanted)
		if at < 0 {
			finding.Kind = KeyMissing
			missing = append(missing, finding)
			continue
		}
		matched[at] = true
		if finding.Details = have.entries[at].deviations(wanted); finding.Details == nil {
			d.Same++
			continue
		}
		finding.Kind = KeyDiffers
		differing = append(differing, finding)
	}
	d.Findings = append(missing, differing...)
	for i, theirs := range have.entries {
		if !matched[i] {
			d.Findings = append(d.Findings, Finding{Kind: KeyExtra, Kid: theirs.key.Kid, Alg: theirs.key.Alg})
		}
	}
	return d
}

// find returns the index of the entry for a wanted key: the one with its kid,
// or else the one with the same key, or else -1.
func (s Set) find(wanted entry) int {
	for i, e := range s.entries {
		if e.key.Kid == wanted.key.Kid {
			return i
		}
	}
	for i, e := range s.entries {
		if thumbprint(e.wire) == thumbprint(wanted.wire) {
			return i
		}
	}
	return -1
}

// deviations describes how a receiver's entry differs from the wanted one.
func (e entry) deviations(wanted entry) []string {
	var details []string
	if thumbprint(e.wire) != thumbprint(wanted.wire) {
		return []string{"another public key is under this kid: the receiver refuses our signatures"}
	}
	for _, member := range []struct{ name, have, want string }{
		{"kid", e.wire.Kid, wanted.wire.Kid},
		{"use", e.wire.Use, wanted.wire.Use},
		{"alg", e.wire.Alg, wanted.wire.Alg},
	} {
		switch {
		case member.have == member.want:
		case member.have == "":
			details = append(details, fmt.Sprintf("%s is missing, want %q", member.name, member.want))
		default:
			details = append(details, fmt.Sprintf("%s is %q, want %q", member.name, member.have, member.want))
		}
	}
	if !sameChain(e.key.Certificates, wanted.key.Certificates) {
		details = append(details, fmt.Sprintf("x5c differs: %s, want %d",
			plural.Of(len(e.key.Certificates), "certificate"), len(wanted.key.Certificates)))
	}
	return details
}

// Complete reports whether the receiver has every key with the right members.
// It ignores extra keys.
func (d Difference) Complete() bool {
	return d.count(KeyMissing) == 0 && d.count(KeyDiffers) == 0
}

func (d Difference) count(kind FindingKind) int {
	n := 0
	for _, finding := range d.Findings {
		if finding.Kind == kind {
			n++
		}
	}
	return n
}

// String returns a report for people: a summary, and a line for each finding.
// It has only printable characters, even if the receiver's copy has others.
func (d Difference) String() string {
	var report strings.Builder
	fmt.Fprintf(&report, "%d the same, %d missing, %d different, %d extra", d.Same, d.count(KeyMissing), d.count(KeyDiffers), d.count(KeyExtra))
	if d.Foreign > 0 {
		fmt.Fprintf(&report, "; %d of other kinds not compared", d.Foreign)
	}
	report.WriteString("\n")
	for _, finding := range d.Findings {
		finding.write(&report)
	}
	return report.String()
}

func (f Finding) write(report *strings.Builder) {
	kid := f.Kid
	if kid == "" {
		kid = "(no kid)"
	}
	fmt.Fprintf(report, "%-8s %-43s %-7s", f.Kind, kid, f.Alg)
	switch f.Kind {
	case KeyMissing:
		report.WriteString(" publish or upload it before it signs")
	case KeyExtra:
		report.WriteString(" not ours, or no longer: have the receiver remove it")
	default:
		report.WriteString(" " + strings.Join(f.Details, "; "))
	}
	report.WriteString("\n")
}
