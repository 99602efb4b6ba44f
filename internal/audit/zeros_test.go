package audit

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A zero byte in the middle of the file made the log cut off all that followed,
// with the checkpoint over it, and go on with the same numbers.
func TestZeroByteInTheMiddleIsDamage(t *testing.T) {
	key := ed25519Key(t)
	file := longLog(t, key, 100)
	lines := readLines(t, file)
	writeLines(t, file, lines[:len(lines)-1]) // without the checkpoint, so the start reads it all
	damage(t, file, 20, 20)
	before := readLines(t, file)
	_, err := Open(key.options(file))
	if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "record 20") {
		t.Errorf("got %v", err)
	}
	if apart, _ := filepath.Glob(file + ".torn-*"); len(apart) > 0 || !slices.EqualFunc(before, readLines(t, file), bytes.Equal) {
		t.Errorf("the file was changed; set apart: %v", apart)
	}
}

// No single byte, wherever it is, makes the log drop a whole line: it is damage
// unless nothing follows the line that has it.
func TestAnyZeroByte(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, Options{File: file})
	l.add(jtis(0, 4)...)
	l.stop()
	lines := readLines(t, file)
	content := bytes.Join(lines, nil)
	last := len(content) - len(lines[len(lines)-1])
	for at := range content {
		spoiled := bytes.Clone(content)
		spoiled[at] = 0
		_, torn, err := readTail(file, bytes.NewReader(spoiled))
		if at < last && !errors.Is(err, ErrDamaged) || at >= last && (err != nil || !torn) {
			t.Fatalf("byte %d of %d: torn %v, %v", at, len(content), torn, err)
		}
	}
}

// After a loss of power, what was not synced can be zero bytes. More of them
// than that were made by something else, whatever they replaced.
func TestZerosAtTheEnd(t *testing.T) {
	const lost = 5
	for sync, limit := range map[Sync]int64{SyncAlways: maxWrite, SyncInterval: maxUnsynced, SyncNever: 0} {
		t.Run(string(sync), func(t *testing.T) {
			key := ed25519Key(t)
			o := key.options(filepath.Join(t.TempDir(), "audit.jsonl"))
			o.Sync = sync
			for _, from := range []int{0, 10} { // with a checkpoint in the middle
				l := start(t, o)
				l.add(jtis(from, 10)...)
				l.stop()
			}
			lines := readLines(t, o.File)
			good := bytes.Join(lines[:len(lines)-lost], nil)
			check(t, os.WriteFile(o.File, append(good, lines[len(lines)-lost][:30]...), 0o600)) // the start of the next line
			for _, size := range []int64{1000, maxUnsynced + 1000} {
				check(t, os.Truncate(o.File, int64(len(good))+size))
				r, err := Verify(t.Context(), []string{o.File}, VerifyOptions{Verifiers: key.verifiers})
				if r.Torn != size || err != nil {
					t.Errorf("verify: %d torn of %d: %v", r.Torn, size, err)
				}
				tooLong := limit > 0 && size > limit
				if tooLong {
					if _, err := Open(o); !errors.Is(err, ErrDamaged) {
						t.Errorf("%d bytes: %v", size, err)
					}
					done, err := AcceptDamage(o, Acceptance{Reason: "zeros"})
					if err != nil || done.Good != int64(len(lines)-lost+3) { // there was a start before
						t.Errorf("%+v: %v", done, err)
					}
				}
				l := start(t, o)
				if l.w.recheck == nil != tooLong {
					t.Errorf("%d bytes: the start read the whole file", size)
				}
				l.add("after")
				l.stop()
				mustVerify(t, []string{o.File}, VerifyOptions{Verifiers: key.verifiers, All: true})
				content, err := os.ReadFile(o.File)
				check(t, err)
				good = content
			}
		})
	}
}
