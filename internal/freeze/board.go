// Package freeze keeps what operators have frozen during an incident: nothing
// is signed for a frozen client, grant or key set until it is thawed or its
// time is up.
//
// In a fleet, each daemon keeps the newest Word on each target, and what they
// share is only how the words travel. So a freeze outlives the loss of the
// fleet's server, and an old word that is played back changes nothing.
//
// A freeze is in force before anything else happens. Its audit record and the
// file that keeps it across restarts come after that, and a fault of either is
// a warning. A thaw is recorded first, and refused if it can't be.
//
// What is frozen is a name and not what the name stands for now. So a freeze
// outlives a reload that drops the name.
package freeze

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/signer"
)

// ErrRefused is why a freeze or a thaw was refused. Its text is for operators.
var ErrRefused = errors.New("refused")

// Signer refuses what is frozen.
type Signer interface {
	// Freeze puts in force what is frozen from now on. When it returns, nothing
	// frozen is released any more.
	Freeze(frozen signer.Frozen)
}

// Log is the audit log.
type Log interface {
	Append(ctx context.Context, record audit.Record) error
}

// Files replaces files, as
// [github.com/assertd/assertd/internal/atomicfile.Writer] does.
type Files interface {
	// Update replaces a file atomically, unless it has this content and mode. It
	// waits for the disk until ctx ends.
	Update(ctx context.Context, path string, content []byte, mode fs.FileMode) (changed bool, err error)
}

// Fleet are the other daemons.
type Fleet interface {
	// Tell passes on the board's newest Words. The error says why other daemons
	// may not know of them yet.
	Tell(ctx context.Context) error
}

// Options of a [Board].
type Options struct {
	Signer Signer
	Log    Log // nil if nothing is recorded
	// RecordRequired refuses a thaw that can't be recorded.
	RecordRequired bool
	File           string // that keeps the freezes across restarts; "" for none
	Files          Files
	Trust          trustpath.Rules
	Host           string // this host's name
	Fleet          Fleet  // nil if freezes are this host's only
	Now            func() time.Time
	Logger         logging.Logger
}

// Board has the freezes of this host. It is safe for concurrent use.
type Board struct {
	Options
	saver    *saver
	throttle *logging.Throttle

	changing sync.Mutex // held while entries change and the signer gets them
	mu       sync.Mutex
	entries  map[ipc.FreezeTarget]ipc.Freeze
	words    map[ipc.FreezeTarget]Word // empty without a fleet
	pending  []audit.Record            // not written yet
}

// New makes a board without freezes. It starts nothing, see [Board.Run].
func New(o Options) *Board {
	return &Board{
		Options: o, saver: newSaver(o.File, o.Files, o.Logger), throttle: logging.NewThrottle(o.Now),
		entries: make(map[ipc.FreezeTarget]ipc.Freeze), words: make(map[ipc.FreezeTarget]Word),
	}
}

// Status returns what is frozen, the oldest first. A freeze whose name is not
// known any more is marked.
func (b *Board) Status(known []ipc.FreezeTarget) ipc.FreezeStatus {
	status := ipc.FreezeStatus{Freezes: b.list(), File: b.File}
	if len(status.Freezes) > 0 {
		names := make(map[ipc.FreezeTarget]bool, len(known))
		for _, target := range known {
			names[target] = true
		}
		for i, f := range status.Freezes {
			status.Freezes[i].Unknown = !f.All && !names[f.FreezeTarget]
		}
	}
	switch {
	case b.File != "":
		status.Error = b.saver.problem()
	case len(status.Freezes) > 0:
		status.Error = noFile
	}
	return status
}

// noFile is why freezes are not saved where nothing says where.
const noFile = "a restart thaws everything, because budgets.file is not set: freezes are saved beside it"

func (b *Board) list() []ipc.Freeze {
	b.mu.Lock()
	defer b.mu.Unlock()
	return sorted(b.entries)
}

func sorted(entries map[ipc.FreezeTarget]ipc.Freeze) []ipc.Freeze {
	list := slices.AppendSeq([]ipc.Freeze{}, maps.Values(entries))
	slices.SortFunc(list, func(x, y ipc.Freeze) int {
		if c := x.Since.Compare(y.Since); c != 0 {
			return c
		}
		return compareTargets(x.FreezeTarget, y.FreezeTarget)
	})
	return list
}

func (b *Board) find(target ipc.FreezeTarget) (ipc.Freeze, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f, ok := b.entries[target]
	return f, ok
}

// change edits the freezes and puts them in force. It returns the revision that
// the saver then has to save.
func (b *Board) change(edit func(map[ipc.FreezeTarget]ipc.Freeze)) (revision uint64) {
	b.changing.Lock()
	defer b.changing.Unlock()
	b.mu.Lock()
	next := maps.Clone(b.entries)
	edit(next)
	b.entries = next
	words := b.wordList()
	b.mu.Unlock()
	frozen := make(signer.Frozen, len(next))
	for target := range next {
		frozen[target] = true
	}
	b.Signer.Freeze(frozen)
	return b.saver.want(encode(sorted(next), words))
}
