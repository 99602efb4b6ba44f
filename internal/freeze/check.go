package freeze

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/assertd/assertd/internal/spelling"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer/policy"
)

// maxFreezes is how many freezes there can be.
const maxFreezes = 10_000

// Targets returns what can be frozen of a configuration with these clients and
// key sets.
func Targets(clients []policy.Client, sets []string) []ipc.FreezeTarget {
	var targets []ipc.FreezeTarget
	for _, c := range clients {
		targets = append(targets, ipc.FreezeTarget{Client: c.Name})
		for _, g := range c.Grants {
			targets = append(targets, ipc.FreezeTarget{Client: c.Name, Grant: g.Name})
		}
	}
	for _, set := range sets {
		targets = append(targets, ipc.FreezeTarget{Key: set})
	}
	return targets
}

// check refuses a request to freeze something that isn't known, and one that
// doesn't say why.
func check(req ipc.FreezeRequest, known []ipc.FreezeTarget) error {
	switch {
	case req.Scope() == "":
		return errTarget
	case !req.All && !slices.Contains(known, req.FreezeTarget):
		return refuse("the configuration has no %s; %s", req.FreezeTarget, suggest(req.FreezeTarget, known))
	case req.ForSeconds < 0 || req.ForSeconds > ipc.MaxFreezeSeconds:
		return refuse("a freeze of %d seconds is out of range; use 1 to %d, or leave its length out to freeze until somebody thaws it", req.ForSeconds, ipc.MaxFreezeSeconds)
	}
	return checkReason(req.Reason)
}

var errTarget = refuse("name exactly one of a client, a grant, a key set, or everything")

// checkReason keeps reasons fit for terminals and logs.
func checkReason(reason string) error {
	unfit := func(r rune) bool { return !unicode.IsPrint(r) }
	switch {
	case strings.TrimSpace(reason) == "":
		return refuse("a freeze needs a reason; say why, for those who find it later")
	case len(reason) > ipc.MaxFreezeReason || !utf8.ValidString(reason) || strings.ContainsFunc(reason, unfit):
		return refuse("the reason is not one line of at most %d bytes; shorten it", ipc.MaxFreezeReason)
	}
	return nil
}

// notFrozen says what else is frozen.
func (b *Board) notFrozen(target ipc.FreezeTarget) error {
	if target.Scope() == "" {
		return errTarget
	}
	left := b.list()
	if len(left) == 0 {
		return refuse("%s is not frozen; nothing is", target)
	}
	var others []ipc.FreezeTarget
	for _, f := range left {
		others = append(others, f.FreezeTarget)
	}
	advice := "frozen: " + names(left)
	if near := spelling.Nearest(target.Name(), namesIn(target.Scope(), others)); near != "" {
		advice = "did you mean " + near + "? " + strings.ToUpper(advice[:1]) + advice[1:]
	}
	return refuse("%s is not frozen; %s", target, advice)
}

// suggest names the known target of the same scope that was meant, or lists
// them.
func suggest(target ipc.FreezeTarget, known []ipc.FreezeTarget) string {
	return spelling.DidYouMean(target.Name(), namesIn(target.Scope(), known))
}

func namesIn(scope string, targets []ipc.FreezeTarget) []string {
	var names []string
	for _, t := range targets {
		if t.Scope() == scope {
			names = append(names, t.Name())
		}
	}
	return names
}

func compareTargets(x, y ipc.FreezeTarget) int {
	return cmp.Or(cmp.Compare(x.Scope(), y.Scope()), cmp.Compare(x.Name(), y.Name()))
}
