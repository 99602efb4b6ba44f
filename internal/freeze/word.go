package freeze

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/ipc"
)

// Word is the newest that is known of one target in a fleet: that it is frozen,
// or that it was thawed. Versions count the changes of a target, so that no
// clock decides whether a thaw is newer than a freeze.
type Word struct {
	Version uint64 `json:"version"`
	Frozen  bool   `json:"frozen"`
	// Freeze is the freeze or, of a thaw, the target, since when it is thawed,
	// and who did it.
	Freeze ipc.Freeze `json:"freeze"`
	// Untold means that the fleet may not know of this host's change yet.
	Untold bool `json:"untold,omitempty"`
}

// forget is how long a word is kept that freezes nothing. No freeze with an end
// lasts longer, so an older host can't bring back what was thawed.
const forget = 400 * 24 * time.Hour

// maxWords bounds what the fleet can say.
const maxWords = 2 * maxFreezes

// Newer reports whether w replaces v. Of two changes that were made at once, a
// freeze wins over a thaw, and the longer freeze over the shorter. Every daemon
// decides the same.
func (w Word) Newer(v Word) bool {
	switch {
	case w.Version != v.Version:
		return w.Version > v.Version
	case w.Frozen != v.Frozen:
		return w.Frozen
	case w.Frozen && endsLater(w.Freeze, v.Freeze):
		return true
	case w.Frozen && endsLater(v.Freeze, w.Freeze):
		return false
	}
	return bytes.Compare(w.canonical(), v.canonical()) > 0
}

// canonical is the word without what each daemon adds for itself.
func (w Word) canonical() []byte {
	w.Freeze.Reported, w.Freeze.Unknown, w.Untold = false, false, false
	text, err := json.Marshal(w)
	if err != nil {
		return nil // only a year that RFC 3339 can't have, which check refuses
	}
	return text
}

func (w Word) check() error {
	switch {
	case w.Version == 0 || w.Freeze.Scope() == "" || w.Freeze.Since.IsZero():
		return errors.New("not a freeze")
	case w.Frozen:
		return checkReason(w.Freeze.Reason)
	}
	return nil
}

// over reports whether w has frozen nothing for so long that it is forgotten.
func (w Word) over(now time.Time) bool {
	end := w.Freeze.Since
	if w.Frozen {
		end = w.Freeze.Until
	}
	return !end.IsZero() && now.Sub(end) > forget
}

// Words returns the newest word on each target, for the fleet.
func (b *Board) Words() []Word {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.wordList()
}

// wordList drops what is forgotten. The caller holds mu.
func (b *Board) wordList() []Word {
	list, now := make([]Word, 0, len(b.words)), b.Now()
	for target, w := range b.words {
		if w.over(now) {
			delete(b.words, target)
			continue
		}
		list = append(list, w)
	}
	slices.SortFunc(list, func(x, y Word) int {
		return compareTargets(x.Freeze.FreezeTarget, y.Freeze.FreezeTarget)
	})
	return list
}

// say makes a change of this host the newest word on its target. The caller
// holds mu.
func (b *Board) say(frozen bool, f ipc.Freeze) {
	if b.Fleet != nil {
		b.words[f.FreezeTarget] = Word{Version: b.words[f.FreezeTarget].Version + 1, Frozen: frozen, Freeze: f, Untold: true}
	}
}

// Told notes that the fleet knows these words.
func (b *Board) Told(words []Word) {
	b.mu.Lock()
	news := slices.ContainsFunc(words, func(w Word) bool { return b.untold(w) })
	b.mu.Unlock()
	if !news {
		return
	}
	b.change(func(map[ipc.FreezeTarget]ipc.Freeze) {
		for _, w := range words {
			if b.untold(w) {
				known := b.words[w.Freeze.FreezeTarget]
				known.Untold = false
				b.words[w.Freeze.FreezeTarget] = known
			}
		}
	})
}

// untold reports whether w is this host's newest word, and not noted as told.
// The caller holds mu.
func (b *Board) untold(w Word) bool {
	known := b.words[w.Freeze.FreezeTarget]
	return known.Untold && known.Version == w.Version
}

// Hear takes over what other daemons of the fleet have frozen or thawed. A
// thaw that can't be recorded is left for the next time.
func (b *Board) Hear(ctx context.Context, words []Word) {
	for _, w := range words {
		if err := b.hear(ctx, w); err != nil {
			b.throttle.Log(b.Logger.Error, "hear", "a change of the fleet's freezes is not in force here", "target", w.Freeze.FreezeTarget.String(), "error", err)
		}
	}
}

func (b *Board) hear(ctx context.Context, w Word) error {
	if err := w.check(); err != nil {
		return err
	}
	w.Freeze.Unknown, w.Freeze.Reported, w.Untold = false, true, false
	target := w.Freeze.FreezeTarget
	b.mu.Lock()
	known, standing := b.words[target], b.entries[target]
	full := known.Version == 0 && len(b.words) >= maxWords
	b.mu.Unlock()
	switch {
	case w.over(b.Now()) || !w.Newer(known):
		return nil
	case full:
		return fmt.Errorf("the fleet has more than %d freezes and thaws", maxWords)
	case w.Frozen:
		b.hearFreeze(ctx, w)
		return nil
	case known.Frozen && standing == known.Freeze && !known.Untold:
		return b.hearThaw(ctx, w, standing)
	}
	b.change(func(map[ipc.FreezeTarget]ipc.Freeze) { b.learn(w) })
	return nil
}

// learn makes w the newest word, unless a newer one has come meanwhile. A thaw
// by others who did not know of a freeze of this host doesn't end that: the
// freeze becomes the newest word. The caller holds mu.
func (b *Board) learn(w Word) bool {
	known := b.words[w.Freeze.FreezeTarget]
	if !w.Newer(known) {
		return false
	}
	b.words[w.Freeze.FreezeTarget] = w
	if known.Frozen && known.Untold && !w.Frozen {
		b.say(true, known.Freeze)
		return false
	}
	return true
}

// hearFreeze puts another host's freeze in force, unless its time was up before
// this host heard of it, or a freeze that only this host has lasts longer.
func (b *Board) hearFreeze(ctx context.Context, w Word) {
	f := w.Freeze
	ended := !f.Until.IsZero() && !b.Now().Before(f.Until)
	inForce := false
	b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) {
		standing, frozen := entries[f.FreezeTarget]
		fleets := frozen && standing == b.words[f.FreezeTarget].Freeze
		switch {
		case !b.learn(w):
		case fleets, !frozen && !ended, frozen && endsLater(f, standing):
			entries[f.FreezeTarget], inForce = f, true
		}
	})
	if inForce {
		b.Logger.Warn("frozen by another host", "target", f.String(), "until", end(f), "reported_by", reporter(f), "reason", f.Reason)
		_ = b.record(ctx, audit.KindFreeze, self(), f) // which logs why it can't, and tries again
	}
}

// hearThaw records another host's thaw, and then ends the freeze.
func (b *Board) hearThaw(ctx context.Context, w Word, standing ipc.Freeze) error {
	reported := standing
	reported.Reported, reported.By = true, w.Freeze.By
	if err := b.recordEnd(ctx, audit.KindThaw, self(), reported); err != nil {
		return fmt.Errorf("it stays frozen, because the thaw can't be recorded: %w", err)
	}
	thawed := false
	b.change(func(entries map[ipc.FreezeTarget]ipc.Freeze) {
		if entries[w.Freeze.FreezeTarget] == standing && b.learn(w) {
			delete(entries, w.Freeze.FreezeTarget)
			thawed = true
		}
	})
	if thawed {
		b.Logger.Warn("thawed by another host", "target", standing.String(), "reported_by", reporter(w.Freeze))
	}
	return nil
}

// reporter names who made a change by the word of another host.
func reporter(f ipc.Freeze) string {
	if !f.Reported {
		return ""
	}
	return fmt.Sprintf("uid %d pid %d on %s", f.By.UID, f.By.PID, cmp.Or(f.By.Host, "an unnamed host"))
}

// told tells the fleet of a change, and returns what an operator must know if
// that fails.
func (b *Board) told(ctx context.Context) []string {
	if b.Fleet == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tellWait)
	defer cancel()
	if err := b.Fleet.Tell(ctx); err != nil {
		return []string{fmt.Sprintf("only this host has it: the fleet does not know of it yet; it is tried again: %v", err)}
	}
	return nil
}

// tellWait is how long an operator waits for the fleet's server.
const tellWait = 3 * time.Second
