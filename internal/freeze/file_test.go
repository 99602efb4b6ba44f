package freeze_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/freeze"
	"github.com/assertd/assertd/internal/logging"
	"github.com/assertd/assertd/ipc"
)

// restart makes a board on a real file, as a daemon that starts does.
func restart(t *testing.T, file string) (*freeze.Board, *world, func()) {
	t.Helper()
	w := &world{}
	b := freeze.New(freeze.Options{Signer: w, Log: w, RecordRequired: true, File: file, Files: realFiles{}, Host: "here", Now: time.Now, Logger: logging.Discard})
	if err := b.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return b, w, start(t, b)
}

func TestFreezesSurviveARestart(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freezes-budgets")
	b, _, stop := restart(t, file)
	for _, target := range known {
		mustFreeze(t, b, target, 3600)
	}
	mustThaw(t, b, bank)
	before := b.Status(known)
	stop()
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	b, w, stop := restart(t, file)
	w.check(t, payments, keys, ipc.FreezeTarget{Client: "billing"})
	after := b.Status(known)
	if len(after.Freezes) != 3 {
		t.Fatalf("status %+v", after)
	}
	for i, f := range after.Freezes {
		if g := before.Freezes[i]; f.FreezeTarget != g.FreezeTarget || !f.Since.Equal(g.Since) || !f.Until.Equal(g.Until) || f.By != g.By || f.Reason != g.Reason {
			t.Errorf("%+v, was %+v", f, g)
		}
	}
	for _, f := range after.Freezes {
		mustThaw(t, b, f.FreezeTarget)
	}
	stop()
	_, w, _ = restart(t, file)
	w.check(t)
}

// If the file is damaged in any way, everything is frozen until an operator
// says otherwise, and the damaged file is kept.
func TestDamagedFileFreezesEverything(t *testing.T) {
	good := filepath.Join(t.TempDir(), "freezes-budgets")
	b, _, stop := restart(t, good)
	mustFreeze(t, b, payments, 0)
	stop()
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"empty":             {},
		"zeros":             make([]byte, len(content)),
		"cut off":           content[:len(content)/2],
		"other name":        bytes.Replace(content, []byte("payments-api"), []byte("payments-apj"), 1),
		"edited, no freeze": []byte(`{"version":1,"sha256":"","freezes":[]}`),
		"newer version":     bytes.Replace(content, []byte(`"version":1`), []byte(`"version":2`), 1),
		"two documents":     append(bytes.Clone(content), content...),
		"unknown member":    bytes.Replace(content, []byte(`{"version"`), []byte(`{"x":1,"version"`), 1),
		"null":              []byte("null"),
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "freezes-budgets")
			if err := os.WriteFile(file, damaged, 0o600); err != nil {
				t.Fatal(err)
			}
			b, w, stop := restart(t, file)
			w.check(t, all)
			aside, err := filepath.Glob(file + ".damaged-*")
			if err != nil || len(aside) != 1 {
				t.Fatalf("%q, %v", aside, err)
			}
			if kept, err := os.ReadFile(aside[0]); err != nil || !bytes.Equal(kept, damaged) {
				t.Errorf("kept %q, %v", kept, err)
			}
			if f := b.Status(known).Freezes; !strings.Contains(f[0].Reason, filepath.Base(aside[0])) || !strings.Contains(f[0].Reason, "assertctl thaw --all") {
				t.Errorf("status %+v", f)
			}
			stop()
			b, w, _ = restart(t, file) // it stays so
			w.check(t, all)
			mustThaw(t, b, all)
			w.check(t)
		})
	}
}

// What stands in for a damaged file is recorded once the audit log runs.
func TestStandInIsRecorded(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freezes-budgets")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, w, _ := restart(t, file)
	for end := time.Now().Add(time.Minute); len(w.kinds()) == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("no record")
		}
	}
	if r := w.last(); r.Kind != "freeze" || r.Scope != "all" || r.Caller.PID != int32(os.Getpid()) {
		t.Errorf("record %+v", r)
	}
}

// Others who can write to the file could thaw, so it is not read.
func TestFileThatOthersCanWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "freezes-budgets")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o666); err != nil {
		t.Fatal(err)
	}
	b := freeze.New(freeze.Options{Signer: &world{}, File: file, Files: realFiles{}, Now: time.Now, Logger: logging.Discard})
	if err := b.Load(t.Context()); err == nil || !strings.Contains(err.Error(), "load freezes") {
		t.Errorf("error %v", err)
	}
}
