package ratelimit

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/rate"
)

func snapshotOf(t testing.TB, l *Limiter, now Instant) []byte {
	t.Helper()
	data, err := l.Snapshot(now)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantCorrupt checks that data is refused, and that nothing of it was restored.
func wantCorrupt(t testing.TB, name string, data []byte) {
	t.Helper()
	fresh := mustNew(t, daily)
	if err := fresh.Restore(wall(epoch), data); !errors.Is(err, ErrCorrupt) {
		t.Errorf("%s: %v", name, err)
	}
	if left := fresh.Left(epoch, "b"); left[0].Remaining != 100 || left[1].Remaining != 50 {
		t.Errorf("%s: restored in part: %+v", name, left)
	}
}

func TestTruncatedAndDamagedFiles(t *testing.T) {
	l := mustNew(t, daily, Budget{"another", daily.Windows})
	mustTake(t, l, epoch, 3, "b", "another")
	mustTake(t, l, epoch.Add(time.Hour), 4, "b")
	good := snapshotOf(t, l, Instant{epoch.Add(time.Hour), "a-boot", time.Minute})
	for size := range good {
		wantCorrupt(t, fmt.Sprintf("cut off after %d of %d bytes", size, len(good)), good[:size])
	}
	for i := range good {
		for _, flip := range []byte{0x01, 0x80, 0xff} {
			damaged := bytes.Clone(good)
			damaged[i] ^= flip
			wantCorrupt(t, fmt.Sprintf("byte %d changed by %#x", i, flip), damaged)
		}
	}
	wantCorrupt(t, "more after it", append(bytes.Clone(good), 0))
	if err := mustNew(t, daily).Restore(wall(epoch), good[:len(good)-9]); err == nil || !strings.Contains(err.Error(), "truncated") {
		t.Errorf("the error does not say what is wrong: %v", err)
	}
}

// seal makes a file of windows that has a good checksum.
func seal(written string, windows []byte) []byte {
	data := fmt.Appendf(nil, "{\"version\":2,\"written\":%q}\n%s", written, windows)
	return binary.BigEndian.AppendUint32(data, crc32.Checksum(data, crc32.MakeTable(crc32.Castagnoli)))
}

func window(budget string, numbers ...uint64) []byte {
	data := append(binary.AppendUvarint(nil, uint64(len(budget))), budget...)
	for _, n := range numbers {
		data = binary.AppendUvarint(data, n)
	}
	return data
}

const day = uint64(24 * time.Hour)

func TestImplausibleFiles(t *testing.T) {
	const now = "2026-03-01T12:00:00Z"
	for name, data := range map[string][]byte{
		"no time":              seal("0001-01-01T00:00:00Z", nil),
		"a short period":       seal(now, window("b", uint64(time.Second), 1, 0, 0, 1)),
		"a long period":        seal(now, window("b", uint64(rate.MaxPer)+1, 1, 0, 0, 1)),
		"no runs":              seal(now, window("b", day, 0)),
		"too many runs":        seal(now, window("b", day, maxRuns+1)),
		"no takes":             seal(now, window("b", day, 1, 0, 0, 0)),
		"too many takes":       seal(now, window("b", day, 1, 0, 0, maxSaved+1)),
		"an ancient take":      seal(now, window("b", day, 1, 2*day/uint64(time.Millisecond)+1, 0, 1)),
		"an unfinished number": seal(now, append(window("b", day, 1, 0, 0), 0x80)),
		"a name cut off":       seal(now, []byte{200, 'b'}),
		"a window twice":       seal(now, append(window("b", day, 1, 0, 0, 1), window("b", day, 1, 0, 0, 1)...)),
	} {
		wantCorrupt(t, name, data)
	}
	fresh := mustNew(t, daily)
	if err := fresh.Restore(wall(epoch), seal(now, window("b", day, 1, 0, 0, 1))); err != nil {
		t.Errorf("a plausible file: %v", err)
	}
}

const usage1 = `{"version":1,"written":"2026-03-01T12:00:00Z","windows":[` +
	`{"budget":"b","per_ns":60000000000,"runs":[{"first_age_ns":0,"last_age_ns":0,"count":10}]},` +
	`{"budget":"b","per_ns":86400000000000,"runs":[{"first_age_ns":5,"last_age_ns":0,"count":10}]}]}`

func TestFilesOfVersion1(t *testing.T) {
	fresh := mustNew(t, daily)
	if err := fresh.Restore(wall(epoch), []byte(usage1)); err != nil {
		t.Fatal(err)
	}
	mustHaveLeft(t, fresh, epoch, "b", 90, 40, 10)
	edit := func(from, to string) []byte {
		edited := strings.Replace(usage1, from, to, 1)
		if edited == usage1 {
			t.Fatalf("nothing to replace: %s", from)
		}
		return []byte(edited)
	}
	for name, data := range map[string][]byte{
		"empty":             {},
		"null":              []byte("null"),
		"no members":        []byte("{}"),
		"cut off":           []byte(usage1[:len(usage1)-1]),
		"more after it":     []byte(usage1 + "{"),
		"another version":   edit(`"version":1`, `"version":3`),
		"no version":        edit(`"version":1`, `"version":0`),
		"an unknown member": edit(`"version":1`, `"version":1,"x":1`),
		"a negative count":  edit(`"count":10`, `"count":-10`),
		"a huge count":      edit(`"count":10`, `"count":10000000000000000`),
		"a future take":     edit(`"last_age_ns":0`, `"last_age_ns":-5`),
		"an ancient take":   edit(`"first_age_ns":0`, `"first_age_ns":900000000000000000`),
		"no runs":           edit(`"runs":[`, `"runs":[],"runs_":[`),
		"a window twice":    edit(`"per_ns":86400000000000`, `"per_ns":60000000000`),
		"no time":           edit(`"2026-03-01T12:00:00Z"`, `"0001-01-01T00:00:00Z"`),
	} {
		wantCorrupt(t, name, data)
	}
}

// full returns a limiter whose windows remember as many takes as they can.
func full(t testing.TB, budgets int) (*Limiter, time.Time) {
	l := mustNew(t, manyBudgets(budgets)...)
	now := epoch
	for range maxRuns {
		now = now.Add(24 * time.Hour / grains)
		for i := range budgets {
			mustTake(t, l, now, 100, fmt.Sprintf("client-%d/grant", i))
		}
		for i := range budgets {
			mustTake(t, l, now.Add(22*time.Minute), 1, fmt.Sprintf("client-%d/grant", i))
		}
	}
	return l, now.Add(22 * time.Minute)
}

// The file has an upper bound for each window: a daemon with 10,000 clients
// writes it every few seconds.
func TestFullWindowsAreSmall(t *testing.T) {
	const budgets = 20
	l, now := full(t, budgets)
	data := snapshotOf(t, l, wall(now))
	if size := len(data) / budgets; size > 600 {
		t.Errorf("a full window takes %d bytes", size)
	}
	fresh := mustNew(t, manyBudgets(budgets)...)
	if err := fresh.Restore(wall(now), data); err != nil {
		t.Fatal(err)
	}
	if was, is := l.Left(now, "client-7/grant")[1], fresh.Left(now, "client-7/grant")[1]; was.Remaining != is.Remaining {
		t.Errorf("%+v became %+v", was, is)
	}
}

// A budget of which nothing is spent takes no space.
func TestFullBudgetsAreNotSaved(t *testing.T) {
	l := mustNew(t, manyBudgets(1000)...)
	mustTake(t, l, epoch, 1, "client-1/grant")
	if data := snapshotOf(t, l, wall(epoch)); len(data) > 200 {
		t.Errorf("%d bytes for one take", len(data))
	}
	if data := snapshotOf(t, l, wall(epoch.Add(25*time.Hour))); len(data) > 100 {
		t.Errorf("%d bytes for nothing", len(data))
	}
}

func FuzzRestore(f *testing.F) {
	l := mustNew(f, daily)
	mustTake(f, l, epoch, 10, "b")
	mustTake(f, l, epoch.Add(20*time.Second), 10, "b")
	good := snapshotOf(f, l, Instant{epoch.Add(time.Minute), "a-boot", time.Hour})
	_, windows, _ := bytes.Cut(good, []byte("\n"))
	f.Add(good)
	f.Add(windows[:len(windows)-checksumSize])
	f.Add([]byte(usage1))
	f.Add([]byte(`{"version":1,"written":"2026-03-01T12:00:00Z","windows":[]}`))
	f.Add([]byte(`{"version":1,"written":"9999-03-01T12:00:00Z","windows":[
		{"budget":"b","per_ns":60000000000,"runs":[{"first_age_ns":9,"last_age_ns":1,"count":7}]}]}`))
	f.Add(window("b", day, 2, 1000, 5, 7, 80_000_000, 1, 3))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		restoreAny(t, data)
		restoreAny(t, seal("2026-03-01T11:00:00Z", data)) // no fuzzer guesses a checksum
	})
}

// restoreAny restores a file that anyone can have written, or finds it corrupt.
func restoreAny(t *testing.T, data []byte) {
	t.Helper()
	l := mustNew(t, daily)
	err := l.Restore(wall(epoch), data)
	if errors.Is(err, ErrCorrupt) {
		return
	}
	if err != nil && !errors.As(err, new(*FutureError)) {
		t.Fatalf("restore: %v", err)
	}
	before := l.Left(epoch, "b")
	for i, left := range before {
		if left.Remaining < 0 || left.Remaining > daily.Windows[i].Capacity() || left.ResetIn < 0 || left.ResetIn > 2*left.Window.Per {
			t.Fatalf("left: %+v", left)
		}
	}
	second := restart(t, l, epoch, daily)
	for i, left := range second.Left(epoch, "b")[:2] {
		if left.Remaining != before[i].Remaining {
			t.Fatalf("a round trip turned %+v into %+v", before[i], left)
		}
	}
}
