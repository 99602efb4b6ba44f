package audit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

// signedLog is a signed log in one file. Line 1 is the header, lines 2 to 21
// are the records jti-000000 to jti-000019, and line 22 is the checkpoint over
// them.
func signedLog(t testing.TB, dir string, key testKey) (file string, lines [][]byte) {
	t.Helper()
	file = filepath.Join(dir, "audit.jsonl")
	l, err := Open(key.options(file))
	if err != nil {
		t.Fatal(err)
	}
	for _, jti := range jtis(0, 20) {
		e, err := l.encodeEntry(new(sample(jti)))
		if err != nil {
			t.Fatal(err)
		}
		if err := l.enqueue(e); err != nil {
			t.Fatal(err)
		}
	}
	over, end := context.WithCancel(context.Background())
	end()
	check(t, l.Run(over))
	check(t, l.Close())
	return file, readLines(t, file)
}

// relink fixes all links from line i on, like someone who knows the format but
// does not have the key.
func relink(lines [][]byte, i int) {
	for ; i < len(lines); i++ {
		l, err := parseLink(bytes.TrimSuffix(lines[i], []byte("\n")))
		if err != nil {
			panic(err)
		}
		old := fmt.Sprintf(`{"seq":%d,"prev":"%s"`, l.seq, l.prev)
		leaf := tlog.RecordHash(bytes.TrimSuffix(lines[i-1], []byte("\n")))
		lines[i] = bytes.Replace(lines[i], []byte(old), fmt.Appendf(nil, `{"seq":%d,"prev":"%s"`, i, leaf), 1)
	}
}

func replaceIn(line []byte, from, to string) []byte {
	if !bytes.Contains(line, []byte(from)) {
		panic("nothing to replace")
	}
	return bytes.Replace(slices.Clone(line), []byte(from), []byte(to), 1)
}

// tamperCases are changes to the lines of signedLog, with the line that Verify
// must name and the problem.
var tamperCases = []struct {
	name    string
	do      func(l [][]byte) [][]byte
	line    int64
	problem Problem
}{
	{"record changed", func(l [][]byte) [][]byte { l[9] = replaceIn(l[9], "jti-000008", "jti-666666"); return l }, 10, Changed},
	{"last record changed", func(l [][]byte) [][]byte { l[20] = replaceIn(l[20], "allowed", "refused"); return l }, 21, Changed},
	{"two in a row changed", func(l [][]byte) [][]byte {
		l[9], l[10] = replaceIn(l[9], "allowed", "refused"), replaceIn(l[10], "allowed", "refused")
		return l
	}, 10, Changed},
	{"header changed", func(l [][]byte) [][]byte { l[0] = replaceIn(l[0], `"size":0`, `"size":1`); return l }, 1, Changed},
	{"header's time changed", func(l [][]byte) [][]byte { l[0] = replaceIn(l[0], `"time":"2`, `"time":"3`); return l }, 1, Changed},
	{"number changed", func(l [][]byte) [][]byte { l[9] = replaceIn(l[9], `"seq":9`, `"seq":99`); return l }, 10, Changed},
	{"number made smaller", func(l [][]byte) [][]byte { l[9] = replaceIn(l[9], `"seq":9`, `"seq":2`); return l }, 10, Changed},
	{"made unreadable", func(l [][]byte) [][]byte { l[9] = []byte("{}\n"); return l }, 10, Changed},
	{"two lines joined", func(l [][]byte) [][]byte { l[9] = bytes.TrimSuffix(l[9], []byte("\n")); return l }, 10, Changed},
	{"overlong line", func(l [][]byte) [][]byte {
		l[9] = replaceIn(l[9], "allowed", strings.Repeat("x", MaxRecord))
		return l
	}, 10, Changed},
	{"record dropped", func(l [][]byte) [][]byte { return slices.Delete(l, 9, 10) }, 10, Dropped},
	{"three dropped", func(l [][]byte) [][]byte { return slices.Delete(l, 9, 12) }, 10, Dropped},
	{"header dropped", func(l [][]byte) [][]byte { return slices.Delete(l, 0, 1) }, 1, Dropped},
	{"neighbors swapped", func(l [][]byte) [][]byte { l[9], l[10] = l[10], l[9]; return l }, 10, Reordered},
	{"moved down", func(l [][]byte) [][]byte {
		moved := l[9]
		return slices.Insert(slices.Delete(l, 9, 10), 15, moved)
	}, 10, Reordered},
	{"moved up", func(l [][]byte) [][]byte {
		moved := l[15]
		return slices.Insert(slices.Delete(l, 15, 16), 9, moved)
	}, 10, Reordered},
	{"line repeated", func(l [][]byte) [][]byte { return slices.Insert(l, 10, l[9]) }, 11, Added},
	{"older line repeated", func(l [][]byte) [][]byte { return slices.Insert(l, 15, l[5]) }, 16, Added},
	{"line added", func(l [][]byte) [][]byte {
		return slices.Insert(l, 9, replaceIn(l[9], "jti-000008", "jti-666666"))
	}, 10, Added},
	{"line added with a matching link", func(l [][]byte) [][]byte {
		added := replaceIn(replaceIn(l[9], "jti-000008", "jti-666666"), `"seq":9`, `"seq":10`)
		leaf := tlog.RecordHash(bytes.TrimSuffix(l[9], []byte("\n")))
		old, _ := parseLink(bytes.TrimSuffix(l[9], []byte("\n")))
		return slices.Insert(l, 10, replaceIn(added, old.prev.String(), leaf.String()))
	}, 11, Added},
	{"text added", func(l [][]byte) [][]byte { return slices.Insert(l, 9, []byte("hello\n")) }, 10, Added},
	{"empty line added", func(l [][]byte) [][]byte { return slices.Insert(l, 9, []byte("\n")) }, 10, Added},
	{"rewritten from one record on", func(l [][]byte) [][]byte {
		l[9] = replaceIn(l[9], "jti-000008", "jti-666666")
		relink(l, 10)
		return l
	}, 1, Rewritten},
	{"dropped and rewritten", func(l [][]byte) [][]byte {
		l = slices.Delete(l, 9, 10)
		relink(l, 9)
		return l
	}, 21, BadCheckpoint},
	{"checkpoint over more lines than there are", func(l [][]byte) [][]byte {
		l[21] = replaceIn(l[21], `\n21\n`, `\n22\n`)
		return l
	}, 22, BadCheckpoint},
	{"checkpoint's root changed", func(l [][]byte) [][]byte {
		at := bytes.Index(l[21], []byte(`\n21\n`)) + len(`\n21\n`)
		l[21] = slices.Clone(l[21])
		l[21][at] ^= 1
		return l
	}, 22, BadCheckpoint},
	{"checkpoint made unreadable", func(l [][]byte) [][]byte { l[21] = replaceIn(l[21], `"note":"`, `"note":"x`); return l }, 22, BadCheckpoint},
}

func TestVerifyNamesTheFirstBadLine(t *testing.T) {
	for _, key := range []testKey{ed25519Key(t), ecdsaKey(t)} {
		for _, c := range tamperCases {
			t.Run(c.name, func(t *testing.T) {
				file, lines := signedLog(t, t.TempDir(), key)
				writeLines(t, file, c.do(lines))
				_, err := Verify(t.Context(), []string{file}, VerifyOptions{Verifiers: key.verifiers})
				var bad *BadLine
				if !errors.As(err, &bad) || !errors.Is(err, ErrTampered) {
					t.Fatalf("got %v", err)
				}
				if bad.Line != c.line || bad.Problem != c.problem || bad.File != file {
					t.Errorf("want line %d %s, got %v", c.line, c.problem, err)
				}
				t.Log(bad.Problem, bad.Line, bad.Detail)
			})
		}
	}
}

// The report must say that the chain alone proves nothing.
func TestVerifyWithoutAKey(t *testing.T) {
	key := ed25519Key(t)
	file, lines := signedLog(t, t.TempDir(), key)
	r := mustVerify(t, []string{file}, VerifyOptions{})
	if r.Checkpoints != 0 || r.Unverified != 1 || r.Unproven != 22 || !strings.Contains(r.Summary(), "could have rewritten it all") {
		t.Errorf("%+v: %s", r, r.Summary())
	}
	lines[9] = replaceIn(lines[9], "jti-000008", "jti-666666")
	lines = lines[:21] // without its checkpoint, the rewritten log is consistent
	relink(lines, 10)
	writeLines(t, file, lines)
	r = mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	if r.Checkpoints != 0 || r.Covered != 0 || r.Unproven != 21 {
		t.Errorf("%+v", r)
	}
}

func TestVerifyReport(t *testing.T) {
	key := ecdsaKey(t)
	file, _ := signedLog(t, t.TempDir(), key)
	r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	if r.Unproven != 0 || r.Covered != 21 || r.Size != 22 || !strings.Contains(r.Summary(), "prove that records 0 to 20 are") {
		t.Errorf("%+v: %s", r, r.Summary())
	}
	unsigned := key.options(file)
	unsigned.Key = nil
	l := start(t, unsigned)
	l.add("late-1", "late-2")
	l.stop()
	r = mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
	if r.Unproven != 2 || !strings.Contains(r.Summary(), "no checkpoint covers records 21 to 23,") {
		t.Errorf("%+v: %s", r, r.Summary())
	}
}

// A log whose end was cut off is consistent in itself. A checkpoint stored
// elsewhere gives it away.
func TestVerifyAgainstAKnownCheckpoint(t *testing.T) {
	key := ed25519Key(t)
	file, lines := signedLog(t, t.TempDir(), key)
	kept, err := parseCheckpointLine(bytes.TrimSpace(lines[21]))
	if err != nil {
		t.Fatal(err)
	}
	o := VerifyOptions{Verifiers: key.verifiers, Known: [][]byte{[]byte(kept.Note)}}
	if r := mustVerify(t, []string{file}, o); r.Checkpoints != 2 || r.Covered != 21 {
		t.Errorf("%+v", r)
	}
	var bad *BadLine
	writeLines(t, file, lines[:15])
	if _, err := Verify(t.Context(), []string{file}, o); !errors.As(err, &bad) || bad.Problem != Dropped || bad.Line != 16 {
		t.Errorf("cut: %v", err)
	}
	lines[9] = replaceIn(lines[9], "jti-000008", "jti-666666")
	relink(lines, 10)
	writeLines(t, file, lines[:21])
	if _, err := Verify(t.Context(), []string{file}, o); !errors.As(err, &bad) || bad.Problem != Rewritten || !strings.Contains(bad.Detail, ":21") {
		t.Errorf("rewritten: %v", err)
	}
	o.Verifiers = ed25519Key(t).verifiers
	if _, err := Verify(t.Context(), []string{file}, o); err == nil || errors.Is(err, ErrTampered) {
		t.Errorf("known checkpoint by another key: %v", err)
	}
}

func TestVerifyWithAPartialLastLine(t *testing.T) {
	key := ed25519Key(t)
	file, lines := signedLog(t, t.TempDir(), key)
	writeLines(t, file, append(lines, []byte(`{"seq":22,"prov`)))
	var bad *BadLine
	if _, err := Verify(t.Context(), []string{file}, VerifyOptions{}); !errors.As(err, &bad) || bad.Problem != Added {
		t.Errorf("not the beginning of a line of this log: %v", err)
	}
	leaf := tlog.RecordHash(bytes.TrimSuffix(lines[21], []byte("\n")))
	for _, torn := range []string{"{", `{"seq":22,"prev":"` + leaf.String()[:10], `{"seq":22,"prev":"` + leaf.String() + `","kind":"asser`, "\x00\x00"} {
		writeLines(t, file, append(slices.Clone(lines), []byte(torn)))
		if r := mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers}); r.Torn != int64(len(torn)) {
			t.Errorf("%+v", r)
		}
	}
}

func compress(t *testing.T, content []byte) []byte {
	t.Helper()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, err := z.Write(content)
	check(t, errors.Join(err, z.Close()))
	return packed.Bytes()
}

// An older copy of the current file, with a file beside it that goes further.
func TestVerifyOlderCopyOfTheCurrentFile(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	threeFiles(t, file, key)
	writeLines(t, file, readLines(t, file+".1")[:2])
	var bad *BadLine
	r, err := Verify(t.Context(), []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
	if !errors.As(err, &bad) || bad.File != file || bad.Line != 1 {
		t.Errorf("%v; %s", err, r.Summary())
	}
}

// A compressed file that breaks off is a bad line, with a place.
func TestVerifyTruncatedArchive(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	threeFiles(t, file, key)
	whole := compressed(t, readLines(t, file+".1"))
	check(t, os.Remove(file+".1"))
	check(t, os.WriteFile(file+".1.gz", whole[:len(whole)/2], 0o600))
	var bad *BadLine
	_, err := Verify(t.Context(), []string{file}, VerifyOptions{Verifiers: key.verifiers, All: true})
	if !errors.As(err, &bad) || bad.File != file+".1.gz" || !strings.Contains(bad.Detail, "restore it") {
		t.Errorf("got %v", err)
	}
}

// A file without a line proves nothing, so it is not "ok".
func TestVerifyWithoutALine(t *testing.T) {
	for _, content := range []string{"", "garbage", "\x00\x00"} {
		file := filepath.Join(t.TempDir(), "audit.jsonl")
		check(t, os.WriteFile(file, []byte(content), 0o600))
		if r, err := Verify(t.Context(), []string{file}, VerifyOptions{}); !errors.Is(err, ErrNoLog) || !strings.Contains(err.Error(), file) {
			t.Errorf("%q: %v, %s", content, err, r.Summary())
		}
	}
}

func TestVerifyCompressedFiles(t *testing.T) {
	key := ed25519Key(t)
	file, lines := signedLog(t, t.TempDir(), key)
	check(t, os.WriteFile(file+".1.gz", compress(t, bytes.Join(lines, nil)), 0o600))
	if r := mustVerify(t, []string{file + ".1.gz"}, VerifyOptions{Verifiers: key.verifiers}); r.Lines != 22 {
		t.Errorf("%+v", r)
	}
}

func TestVerifyProgressAndCancellation(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	writeLongLog(t, file, 20000)
	var calls int
	var last, total int64
	o := VerifyOptions{Progress: func(done, of int64) {
		if done < last {
			t.Errorf("progress went back from %d to %d", last, done)
		}
		calls, last, total = calls+1, done, of
	}}
	mustVerify(t, []string{file}, o)
	if info, _ := os.Stat(file); calls < 4 || last != info.Size() || total != info.Size() {
		t.Errorf("%d calls, %d of %d", calls, last, total)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, []string{file}, VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// writeLongLog writes a log of n records without Run.
func writeLongLog(t testing.TB, file string, n int) {
	t.Helper()
	l, err := Open(Options{File: file, Sync: SyncNever})
	if err != nil {
		t.Fatal(err)
	}
	batch := make([]*entry, 0, n)
	for i := range n {
		r := sample(strconv.Itoa(i))
		body, err := r.encode(nil)
		if err != nil {
			t.Fatal(err)
		}
		batch = append(batch, &entry{body: body})
	}
	check(t, l.w.write(batch))
	check(t, l.Close())
}
