package chaos

import (
	"time"

	"github.com/assertd/assertd/ipc"
)

// phase is a fault, what callers may notice of it, and what they noticed.
type phase struct {
	name          string
	fault         fault
	steady, shaky []ipc.Code    // refusals that callers may get
	limit         time.Duration // of the recovery

	tally    tally
	recovery time.Duration // the longest
}

// hsmCodes are what callers get whose token has a fault.
var hsmCodes = []ipc.Code{ipc.CodeHSMUnavailable, ipc.CodeOverloaded, ipc.CodeTimeout}

// choose makes the phases of a round, and says which can't run here and why.
func (r *run) choose() {
	const (
		atOnce  = time.Second
		restart = 10 * time.Second // a new worker, after a hung one was noticed
		disk    = 2 * time.Second
	)
	all := []*phase{
		{name: "calm", fault: calm{}, limit: atOnce},
		{name: "worker kills", fault: kills{}, shaky: hsmCodes, limit: restart},
		{name: "slow module", fault: slow{}, limit: restart},
		{name: "hung module", fault: hung{}, shaky: hsmCodes, limit: restart},
		{name: "crashing module", fault: crashes{}, shaky: hsmCodes, limit: restart},
		{name: "failing module", fault: failures{}, shaky: hsmCodes, limit: restart},
		{name: "token away", fault: away{}, shaky: hsmCodes, limit: restart},
		{name: "reloads", fault: reloads{}, limit: atOnce},
		{name: "several at once", fault: mixed{kills{}, slow{}, reloads{}}, shaky: hsmCodes, limit: restart},
	}
	audit := []ipc.Code{ipc.CodeAuditUnavailable}
	if r.site.disk.kind != "" {
		all = append(all, &phase{name: "full disk", fault: full{}, steady: audit, shaky: audit, limit: disk})
	} else {
		r.report.leftOut = append(r.report.leftOut, "full disk: "+r.site.disk.reason)
	}
	if r.site.disk.kind == "ext4" {
		all = append(all, &phase{name: "frozen disk", fault: frozen{}, steady: audit, shaky: audit, limit: disk})
	} else {
		r.report.leftOut = append(r.report.leftOut, "frozen disk: "+r.site.disk.reason)
	}
	if r.site.disk.noRoot {
		r.report.leftOut = append(r.report.leftOut, "descriptors: "+r.site.disk.reason)
	}
	r.report.phases = all
}
