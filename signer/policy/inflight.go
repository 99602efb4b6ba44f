package policy

import (
	"slices"

	"github.com/assertd/assertd/ipc/caller"
)

// InFlight returns how many of a caller's requests for assertions can be in
// flight within the cap of every client that they may use. Requests are given
// by the grants that they name, "" for those that name none. It returns 0 if
// the caller has none of these grants.
func (p *Policy) InFlight(caller caller.Caller, grants []string) int {
	smallest := 0
	for _, rule := range assertionRules(p.matching(&caller)) {
		within := smallest != 0 && smallest <= rule.InFlight()
		if !within && slices.ContainsFunc(grants, rule.mayAnswer) {
			smallest = rule.InFlight()
		}
	}
	return smallest
}

// mayAnswer reports whether a request that names grant, or none, can use this
// rule.
func (c clientRule) mayAnswer(grant string) bool { return grant == "" || c.hasName(grant) }
