package chaos

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/assertd/assertd/internal/sleep"
	"github.com/assertd/assertd/ipc"
)

// reloads alternates between configurations that the daemon must accept and
// configurations that it must refuse.
type reloads struct{}

// firstOther is what precedes the key set of the first client that never calls.
const firstOther = "uid: 100000}, grants: [{name: bank, key: "

// mistakes are edits that the daemon must refuse: texts and what replaces them.
var mistakes = [][]string{
	{"operator:", "operator: {socket"},          // half a file
	{firstOther + steady, firstOther + "none"},  // an unknown key set
	{"name: other-1,", "name: other-0,"},        // a client twice
	{"  workers: ", "  workers: 1"},             // needs a restart
	{"\nlisten:\n", "\nlisten: []\nsockets:\n"}, // an unknown setting
}

// changes are edits that the daemon must accept.
var changes = [][]string{
	{},
	{ // a key set that has no key, so it can't sign
		"\nkeys:\n", "\nkeys:\n  orphan: {alg: ES256, use: assertion}\n",
		firstOther + steady, firstOther + "orphan",
	},
}

func (reloads) strike(ctx context.Context, r *run, random *rand.Rand) {
	for i := random.IntN(len(mistakes) * len(changes)); sleep.For(ctx, 100*time.Millisecond); i++ {
		text := r.site.configuration(strconv.Itoa(random.IntN(1000)))
		r.reload(strings.NewReplacer(mistakes[i%len(mistakes)]...).Replace(text), ipc.CodeReloadRefused)
		r.reload(strings.NewReplacer(changes[i%len(changes)]...).Replace(text), nil)
	}
}

// reload makes the daemon read a configuration, with the outcome that is
// wanted. A reload takes as long as it takes: it does not end with the phase.
func (r *run) reload(text string, want error) {
	if err := r.site.configure(text); err != nil {
		r.site.t.Error(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := r.site.operator.Reload(ctx)
	if !errors.Is(err, want) {
		r.site.t.Errorf("reload: got %v, want %v", err, want)
	}
	if want == nil {
		r.report.good.Add(1)
	} else {
		r.report.bad.Add(1)
	}
}
