package audit

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/tlog"
)

func TestProveEveryRecord(t *testing.T) {
	for _, key := range []testKey{ed25519Key(t), ecdsaKey(t)} {
		files := threeFiles(t, filepath.Join(t.TempDir(), "audit.jsonl"), key)
		o := VerifyOptions{Verifiers: key.verifiers}
		for _, jti := range jtis(0, 30) {
			proof, err := Prove(t.Context(), files, jti, o)
			if err != nil {
				t.Fatal(err)
			}
			p, err := CheckProof(proof, key.verifiers)
			if err != nil {
				t.Fatalf("%s: %v", jti, err)
			}
			if !bytes.Contains(p.Line, []byte(`"jti":"`+jti+`"`)) || p.Checkpoint.Origin != testOrigin {
				t.Errorf("%s: proven: %s", jti, p.Line)
			}
		}
	}
}

// Earlier files may be gone: the header of the first remaining one has what a
// proof needs from them.
func TestProveFromPartOfTheLog(t *testing.T) {
	key := ed25519Key(t)
	files := threeFiles(t, filepath.Join(t.TempDir(), "audit.jsonl"), key)
	for _, part := range [][]string{files[1:2], files[1:], files[2:]} {
		jti := "jti-000015"
		if len(part) == 1 && part[0] == files[2] {
			jti = "jti-000029"
		}
		proof, err := Prove(t.Context(), part, jti, VerifyOptions{Verifiers: key.verifiers})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := CheckProof(proof, key.verifiers); err != nil {
			t.Error(err)
		}
	}
}

func TestProveErrors(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, key.options(file))
	l.add("covered", "twice", "twice")
	l.stop()
	unsigned := key.options(file)
	unsigned.Key = nil
	l = start(t, unsigned)
	l.add("late")
	l.stop()
	o := VerifyOptions{Verifiers: key.verifiers}
	for jti, want := range map[string]error{"unknown": ErrNotFound, "": ErrNotFound, "late": ErrNotCovered} {
		if _, err := Prove(t.Context(), []string{file}, jti, o); !errors.Is(err, want) {
			t.Errorf("%q: %v", jti, err)
		}
	}
	if _, err := Prove(t.Context(), []string{file}, "twice", o); err == nil || !strings.Contains(err.Error(), "2 records") {
		t.Errorf("got %v", err)
	}
	other := VerifyOptions{Verifiers: ecdsaKey(t).verifiers}
	if _, err := Prove(t.Context(), []string{file}, "covered", other); !errors.Is(err, ErrNotCovered) {
		t.Errorf("with another key: %v", err)
	}
	if _, err := Prove(t.Context(), []string{file}, "covered", VerifyOptions{}); err != nil {
		t.Errorf("a proof can be made without the key: %v", err)
	}
	lines := readLines(t, file)
	lines[1] = replaceIn(lines[1], "allowed", "refused")
	writeLines(t, file, lines)
	if _, err := Prove(t.Context(), []string{file}, "covered", o); !errors.Is(err, ErrTampered) {
		t.Errorf("got %v", err)
	}
}

// A jti in a claim value is not the record's jti.
func TestProveMatchesTheRecordsOwnJTI(t *testing.T) {
	key := ed25519Key(t)
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	l := start(t, key.options(file))
	r := sample("real")
	r.Claims = map[string]any{"a": 1, "jti": "fake"}
	check(t, l.Append(t.Context(), r))
	l.stop()
	if _, err := Prove(t.Context(), []string{file}, "fake", VerifyOptions{}); !errors.Is(err, ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

func TestCheckProofErrors(t *testing.T) {
	key := ed25519Key(t)
	file, lines := signedLog(t, t.TempDir(), key)
	proof, err := Prove(t.Context(), []string{file}, "jti-000008", VerifyOptions{Verifiers: key.verifiers})
	if err != nil {
		t.Fatal(err)
	}
	text := string(proof)
	cp, err := parseCheckpointLine(bytes.TrimSpace(lines[21]))
	check(t, err)
	otherLine := formatProof(bytes.TrimSpace(lines[10]), 9, nil, []byte(cp.Note))
	for name, bad := range map[string]string{
		"empty":             "",
		"another format":    strings.Replace(text, "@v1", "@v2", 1),
		"another index":     strings.Replace(text, "index 9\n", "index 10\n", 1),
		"index with zero":   strings.Replace(text, "index 9\n", "index 09\n", 1),
		"no extra":          strings.Replace(text, "extra ", "xtra ", 1),
		"another line":      string(otherLine),
		"a hash less":       text[:strings.Index(text, "index")] + "index 9\n\n" + cp.Note,
		"another tree size": strings.Replace(text, testOrigin+"\n21\n", testOrigin+"\n20\n", 1),
		"no signature":      text[:strings.Index(text, "\n— ")],
	} {
		if _, err := CheckProof([]byte(bad), key.verifiers); !errors.Is(err, ErrProof) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := CheckProof(proof, ecdsaKey(t).verifiers); !errors.Is(err, ErrProof) {
		t.Errorf("another key: %v", err)
	}
}

// The tree must match RFC 6962: tlog computes the same root from all leaves.
func TestTreeMatchesTlog(t *testing.T) {
	var mine tree
	var stored []tlog.Hash
	reader := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		list := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			list[i] = stored[index]
		}
		return list, nil
	})
	for n := range int64(300) {
		want, err := tlog.TreeHash(n, reader)
		check(t, err)
		copied, err := newTree(n, mine.edgeHashes())
		if err != nil || mine.root() != want || copied.root() != want {
			t.Fatalf("size %d: %v", n, err)
		}
		data := []byte{byte(n), byte(n >> 8)}
		more, err := tlog.StoredHashes(n, data, reader)
		check(t, err)
		stored = append(stored, more...)
		mine.add(tlog.RecordHash(data))
	}
}
