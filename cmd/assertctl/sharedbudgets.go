package main

import (
	"fmt"

	"github.com/assertd/assertd/internal/plural"
	"github.com/assertd/assertd/ipc"
)

// sharedBudgets describes the rate windows with scope: fleet, "" if there are
// none.
func sharedBudgets(s *ipc.SharedBudgets) string {
	if s == nil || s.Windows == 0 {
		return ""
	}
	return fmt.Sprintf("%s of %s, %s leased here", plural.Of(s.Windows, "window"), plural.Of(s.Daemons, "daemon"), plural.Of(s.Leased, "token"))
}

// budgetsProblem says why the server can't be asked about them, "" if it can.
func budgetsProblem(s *ipc.SharedBudgets) string {
	if s == nil || s.Windows == 0 {
		return ""
	}
	switch s.State {
	case ipc.BudgetsAway:
		return s.Error
	case ipc.BudgetsReporting:
		return "the fleet's server lost its data, and the daemons report what they used"
	case ipc.BudgetsJoining:
		return "the fleet's server has not answered since the daemon started"
	}
	return ""
}
