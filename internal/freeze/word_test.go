package freeze_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

// silentFleet is a fleet that nobody hears.
type silentFleet struct{}

func (silentFleet) Tell(context.Context) error { return errors.New("away") }

func (w *world) fleetBoard(file string) *freeze.Board {
	return freeze.New(freeze.Options{
		Signer: w, Log: w, RecordRequired: true, File: file, Files: realFiles{}, Host: "here", Fleet: silentFleet{}, Now: time.Now, Logger: logging.Discard,
	})
}

// word is what another host says.
func word(version uint64, frozen bool, target ipc.FreezeTarget) freeze.Word {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return freeze.Word{Version: version, Frozen: frozen, Freeze: ipc.Freeze{
		FreezeTarget: target, Since: since, Reason: "leak", By: ipc.FreezeBy{UID: 7, Host: "there"},
	}}
}

// TestUntoldFreezeStays: a freeze that the fleet did not know of is not ended
// by a thaw that was made without it, also after a restart. One that the fleet
// knew of is.
func TestUntoldFreezeStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freezes")
	w := &world{}
	b := w.fleetBoard(file)
	stop := start(t, b)
	mustFreeze(t, b, payments, 0)
	stop()
	b = w.fleetBoard(file)
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.Hear(t.Context(), []freeze.Word{word(9, false, payments)})
	w.check(t, payments)
	words := b.Words()
	if len(words) != 1 || words[0].Version != 10 || !words[0].Frozen {
		t.Fatalf("words %+v", words)
	}
	b.Told(words)
	b.Hear(t.Context(), []freeze.Word{word(11, false, payments)})
	w.check(t)
}

// TestOlderWordsChangeNothing: versions decide, and of two that are equal the
// freeze.
func TestOlderWordsChangeNothing(t *testing.T) {
	w := &world{}
	b := w.fleetBoard("")
	hear := func(words ...freeze.Word) { b.Hear(t.Context(), words) }
	hear(word(3, true, payments))
	w.check(t, payments)
	hear(word(2, false, payments), word(3, false, payments), word(0, false, payments))
	w.check(t, payments)
	hear(word(4, false, payments), word(3, true, payments))
	w.check(t)
	hear(word(4, true, payments))
	w.check(t, payments)
	unfit := word(5, true, bank)
	unfit.Freeze.Reason = "a\x1b[2Jb"
	hear(unfit, word(1, true, ipc.FreezeTarget{}))
	w.check(t, payments)
}

// TestReportedThawIsRecordedFirst: a thaw of another host that can't be
// recorded is not in force, and is tried again.
func TestReportedThawIsRecordedFirst(t *testing.T) {
	w := &world{}
	b := w.fleetBoard("")
	b.Hear(t.Context(), []freeze.Word{word(1, true, payments)})
	w.fault(errInjected, nil)
	b.Hear(t.Context(), []freeze.Word{word(2, false, payments)})
	w.check(t, payments)
	w.fault(nil, nil)
	b.Hear(t.Context(), []freeze.Word{word(2, false, payments)})
	w.check(t)
	if r := w.last(); r.Kind != "thaw" || r.ReportedBy != "uid 7 pid 0 on there" {
		t.Errorf("record %+v", r)
	}
}

// TestDamagedFileStaysOnItsHost: what stands in for a damaged file is not told
// to the fleet, and the fleet doesn't thaw it.
func TestDamagedFileStaysOnItsHost(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freezes")
	if err := os.WriteFile(file, []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{}
	for range 2 { // the second time from the file that the first one wrote
		b := w.fleetBoard(file)
		if err := b.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if words := b.Words(); len(words) != 0 {
			t.Errorf("words %+v", words)
		}
		b.Hear(t.Context(), []freeze.Word{word(5, false, all)})
		w.check(t, all)
	}
}

// TestReportedFreezeEnds: the time of a freeze is up on each host by its own
// clock, and one that is over when a host hears of it never begins there.
func TestReportedFreezeEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{}
		b := w.fleetBoard("")
		start(t, b)
		f := word(1, true, payments)
		f.Freeze.Since, f.Freeze.Until = time.Now().UTC(), time.Now().UTC().Add(time.Hour)
		over := word(1, true, bank)
		over.Freeze.Since = time.Now().UTC().Add(-time.Hour)
		over.Freeze.Until = time.Now().UTC()
		b.Hear(t.Context(), []freeze.Word{f, over})
		w.check(t, payments)
		time.Sleep(time.Hour + 2*time.Second)
		w.check(t)
		if kinds := w.kinds(); !slices.Equal(kinds, []string{"freeze", "freeze-end"}) {
			t.Errorf("records %q", kinds)
		}
		b.Hear(t.Context(), []freeze.Word{f})
		w.check(t)
	})
}
