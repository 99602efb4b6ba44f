package audit

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// receiver has the lines of a log that was shipped to it all the time: in one
// file, each once.
type receiver struct {
	at    Position
	lines [][]byte
}

func (r *receiver) take(t *testing.T, file string) {
	t.Helper()
	f := Follow(file, r.at)
	defer f.Close()
	for looks := 0; looks < 2; looks++ { // it believes in a gap at the second look
		for {
			line, err := f.Next(1 << 40)
			if errors.Is(err, io.EOF) {
				break
			}
			check(t, err)
			r.lines, r.at = append(r.lines, append(line.Text, '\n')), line.After
		}
	}
}

// A receiver's copy verifies across damage that was accepted: the lines that it
// lacks, and those behind them in the damaged file, are a gap.
func TestVerifyAReceiversCopyAcrossAcceptedDamage(t *testing.T) {
	key := ed25519Key(t)
	for name, test := range map[string]struct {
		from, to    int
		shipped     bool // before the damage
		first, last int64
	}{
		"one line, not shipped": {20, 20, false, 20, 101}, "several lines, not shipped": {20, 23, false, 20, 101},
		"one line, shipped before": {20, 20, true, 0, -1}, "several lines, shipped before": {20, 23, true, 20, 101},
	} {
		t.Run(name, func(t *testing.T) {
			file := longLog(t, key, 100)
			r := &receiver{at: Oldest()}
			if test.shipped {
				r.take(t, file)
			}
			damage(t, file, test.from, test.to)
			_, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
			check(t, err)
			l := start(t, key.options(file))
			l.add("after", "later")
			l.stop()
			r.take(t, file)
			copied := filepath.Join(t.TempDir(), "received")
			writeLines(t, copied, r.lines)

			report := mustVerify(t, []string{copied}, VerifyOptions{Verifiers: key.verifiers})

			var gap Gap
			if len(report.Gaps) == 1 {
				gap = report.Gaps[0]
			}
			if report.Size != 107 || report.Files != 1 || report.Unproven != 0 ||
				test.last >= 0 && (gap.First != test.first || gap.Last != test.last) || test.last < 0 && len(report.Gaps) > 0 {
				t.Errorf("%+v", report)
			}
			mustBeBad := slices.Clone(r.lines)
			var bad *BadLine
			writeLines(t, copied, slices.Delete(mustBeBad, 10, 11)) // a line that nobody accepted as lost
			if _, err := Verify(t.Context(), []string{copied}, VerifyOptions{Verifiers: key.verifiers}); !errors.As(err, &bad) || bad.Seq != 10 {
				t.Errorf("without record 10: %v", err)
			}
		})
	}
}

// spoil changes some bytes of a copy at random: one, or a row, or cuts them
// out.
func spoil(random *rand.Rand, content []byte) []byte {
	b := bytes.Clone(content)
	at := random.IntN(len(b))
	end := min(len(b), at+random.IntN(3000))
	switch random.IntN(5) {
	case 0:
		b[at] ^= byte(1 + random.IntN(255))
	case 1:
		b[at] = 0
	case 2:
		return slices.Delete(b, at, end)
	case 3:
		clear(b[at:end])
	case 4:
		return b[:at]
	}
	return b
}

// Whatever happens to a copy with a gap, verify ends, and claims no line that
// was changed.
func TestVerifyClaimsNoLineThatWasChangedAroundAGap(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 30)
	damage(t, file, 20, 22)
	_, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
	check(t, err)
	l := start(t, key.options(file))
	l.add(jtis(100, 10)...)
	l.stop()
	r := &receiver{at: Oldest()}
	r.take(t, file)
	original := map[string]int64{}
	for _, line := range r.lines {
		l, err := parseLink(bytes.TrimSuffix(line, []byte("\n")))
		check(t, err)
		original[string(line)] = l.seq
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	copied := filepath.Join(t.TempDir(), "received")
	for n := range 500 {
		spoiled := spoil(random, bytes.Join(r.lines, nil))
		check(t, os.WriteFile(copied, spoiled, 0o600))
		report, err := Verify(t.Context(), []string{copied}, VerifyOptions{Verifiers: key.verifiers})
		if err != nil {
			continue
		}
		intact := map[int64]bool{}
		for line := range bytes.Lines(spoiled) {
			if seq, ok := original[string(line)]; ok {
				intact[seq] = true
			}
		}
		for seq := report.First; seq < report.Covered; seq++ {
			inGap := slices.ContainsFunc(report.Gaps, func(g Gap) bool { return g.Unproven <= seq && seq <= g.Last })
			if !inGap && !intact[seq] {
				t.Fatalf("seed %d, copy %d: record %d was changed, and verify says %s", seed, n, seq, report.Summary())
			}
		}
	}
}

// A bad header behind a gap is bad, and not another gap.
func TestVerifyABadHeaderBehindAGap(t *testing.T) {
	key := ed25519Key(t)
	for name, moved := range map[string]bool{"in a receiver's copy": false, "of a file": true} {
		t.Run(name, func(t *testing.T) {
			file := longLog(t, key, 30)
			older := file + ".1"
			l := start(t, key.options(file))
			check(t, os.Rename(file, older))
			check(t, l.Reopen(t.Context()))
			l.add(jtis(100, 10)...)
			l.stop()
			damage(t, file, 3, 5)
			r := &receiver{at: Oldest()}
			done, err := AcceptDamage(key.options(file), Acceptance{Reason: "disk error"})
			check(t, err)
			lines := readLines(t, file)
			lines[0] = bytes.Replace(lines[0], []byte(`"edge":["`), []byte(`"edge":["AAAA`), 1)
			writeLines(t, file, lines)
			paths := []string{older, file}
			if moved {
				check(t, os.Remove(done.Kept))
			} else {
				r.take(t, file)
				paths = []string{filepath.Join(t.TempDir(), "received")}
				writeLines(t, paths[0], r.lines)
			}
			var bad *BadLine
			if _, err := Verify(t.Context(), paths, VerifyOptions{Verifiers: key.verifiers}); !errors.As(err, &bad) {
				t.Errorf("got %v", err)
			}
		})
	}
}
