package audit

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// These environment variables make the test binary the process that is killed.
const crashFile, crashSync, crashAnchor = "AUDIT_TEST_CRASH_FILE", "AUDIT_TEST_CRASH_SYNC", "AUDIT_TEST_CRASH_ANCHOR"

func TestMain(m *testing.M) {
	if file := os.Getenv(crashFile); file != "" {
		if err := crashWriter(file, Sync(os.Getenv(crashSync))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// crashKey is the same for each child and for the parent, which verifies.
func crashKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

// crashWriter appends from eight goroutines until it is killed, and prints the
// records that Append acknowledged.
func crashWriter(file string, sync Sync) error {
	l, err := Open(Options{
		File: file, Sync: sync, Interval: 5 * time.Millisecond, MaxSize: 200 << 10,
		Origin: testOrigin, CheckpointInterval: 10 * time.Millisecond, Anchor: os.Getenv(crashAnchor),
		Key: func(context.Context) (Key, error) { return newKey(crashKey()), nil },
	})
	if err != nil {
		return err
	}
	for c := range 8 {
		go func() {
			for i := 0; ; i++ {
				jti := fmt.Sprintf("%d-%d-%d", os.Getpid(), c, i)
				err := l.Append(context.Background(), sample(jti))
				if errors.Is(err, ErrRolledBack) {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				if err == nil {
					fmt.Println(jti) // one write each, so the parent reads only whole lines
				}
			}
		}()
	}
	return l.Run(context.Background())
}

func TestKill9(t *testing.T) {
	v, err := NewVerifier(testOrigin, crashKey().Public())
	if err != nil {
		t.Fatal(err)
	}
	key := testKey{key: newKey(crashKey()), verifiers: nil}
	o := VerifyOptions{Verifiers: append(key.verifiers, v)}
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	acknowledged := map[string]bool{}
	var torn, tears int
	for i := range 20 {
		sync := []Sync{SyncInterval, SyncAlways, SyncNever}[i%3]
		killWriter(t, file, sync, 40+i*20, acknowledged)
		r := mustVerify(t, logFiles(t, file), o)
		if r.Torn > 0 {
			torn++
		}
		if i%4 == 3 && tear(t, file) { // a kill rarely comes in the middle of a write
			tears++
		}
	}
	l := start(t, key.options(file)) // the log continues
	l.add("at the end")
	l.stop()
	files := logFiles(t, file)
	r := mustVerify(t, files, o)
	if tears == 0 || r.Recoveries < tears || r.Unproven != 0 {
		t.Errorf("report %+v", r)
	}
	found := jtisIn(t, files)
	for jti := range acknowledged {
		if !found[jti] {
			t.Errorf("%s was acknowledged and is not in the log", jti)
		}
	}
	kept, _ := filepath.Glob(file + "*.torn-*") // beside any file of the log
	if len(kept) != r.Recoveries {
		t.Errorf("%d torn lines set aside, %d recoveries recorded: %s", len(kept), r.Recoveries, recoveriesIn(t, files))
	}
	t.Logf("%d acknowledged records, %d lines in %d files, %d lines torn by a kill, %d checkpoints",
		len(acknowledged), r.Lines, r.Files, torn, r.Checkpoints)
}

// The writer is killed at any moment: before or after the anchor was replaced,
// during a rotation, while the start compares. No start takes that for a
// rollback, and none needs an archive other than the newest. An older copy is
// refused at any time.
func TestKilledWithAnAnchor(t *testing.T) {
	a := newAnchored(t)
	a.testKey = signingKey(t, crashKey())
	t.Setenv(crashAnchor, a.anchor)
	acknowledged := map[string]bool{}
	for i := range 12 {
		putBack := func() {}
		if i > 0 {
			putBack = copyOf(t, a.dir)
		}
		anchor, err := os.ReadFile(a.anchor)
		killWriter(t, a.file, []Sync{SyncInterval, SyncAlways}[i%2], 100+i*60, acknowledged)
		archives, err2 := filepath.Glob(a.file + ".2*")
		check(t, err2)
		for _, old := range archives[:max(0, len(archives)-1)] {
			check(t, os.Remove(old))
		}
		mustVerify(t, []string{a.file}, VerifyOptions{Verifiers: a.verifiers, All: true})
		now, err2 := os.ReadFile(a.anchor)
		if i%4 != 3 || err != nil || err2 != nil || bytes.Equal(anchor, now) {
			continue
		}
		putNewer := copyOf(t, a.dir)
		putBack()
		if _, err := Open(a.options()); !errors.Is(err, ErrRolledBack) {
			t.Errorf("kill %d: the older copy was opened: %v", i, err)
		}
		putNewer()
	}
}

// killWriter lets a child write until it has acknowledged n records, kills it,
// and collects all that it acknowledged.
func killWriter(t *testing.T, file string, sync Sync, n int, acknowledged map[string]bool) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), crashFile+"="+file, crashSync+"="+string(sync))
	var stderr bytes.Buffer
	child.Stderr = &stderr
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	for read := 0; ; read++ {
		if read == n {
			check(t, child.Process.Kill())
		}
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		acknowledged[strings.TrimSpace(line)] = true
	}
	if err := child.Wait(); err == nil || stderr.Len() > 0 {
		t.Fatalf("child: %v: %s", err, &stderr)
	}
}

// tear appends half a line, like a kill in the middle of a write. It leaves the
// file alone if the kill tore a line already, or came in the middle of a
// rotation: then there is no current file yet, or it is still empty.
func tear(t *testing.T, file string) bool {
	t.Helper()
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	check(t, err)
	if !bytes.HasSuffix(content, []byte("\n")) {
		return false
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	check(t, err)
	_, err = f.WriteString(`{"seq":1,"prev":"torn`)
	check(t, errors.Join(err, f.Close()))
	return true
}

func TestTornLineIsSetAside(t *testing.T) {
	for name, torn := range map[string]string{
		"half a line": `{"seq":3,"prev":"abc`, "zero bytes": "\x00\x00\x00", "zero bytes and lines": "\x00\x00\n\x00\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			key := ed25519Key(t)
			l := start(t, key.options(file))
			l.add("a")
			l.stop()
			before := readLines(t, file)
			writeLines(t, file, append(before, []byte(torn)))
			l = start(t, key.options(file))
			l.add("b")
			l.stop()
			kept, _ := filepath.Glob(file + "*.torn-*") // beside any file of the log
			if len(kept) != 1 {
				t.Fatalf("kept %v", kept)
			}
			if b, _ := os.ReadFile(kept[0]); string(b) != torn {
				t.Errorf("kept %q", b)
			}
			after := readLines(t, file)
			if !bytes.Contains(after[len(before)], []byte(`"kind":"recovery"`)) {
				t.Errorf("line after the torn one: %s", after[len(before)])
			}
			globbed, _ := filepath.Glob(file + "*") // with the lock and the torn line, as a shell expands it
			if r := mustVerify(t, globbed, VerifyOptions{Verifiers: key.verifiers}); r.Files != 1 || r.Recoveries != 1 || r.Unproven != 0 {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestTornHeader(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := ed25519Key(t)
	files := threeFiles(t, file, key)
	header := readLines(t, file)[0]
	check(t, os.Rename(file, file+".0"))
	check(t, os.WriteFile(file, header[:len(header)/2], 0o600)) // the next file, whose header was torn
	l := start(t, key.options(file))
	l.add("next")
	l.stop()
	r := mustVerify(t, append(files, file+".0"), VerifyOptions{Verifiers: key.verifiers})
	if r.Files != 4 || r.Recoveries != 1 {
		t.Errorf("%+v", r)
	}
}

// A process may end at any point between finding a torn line and writing its
// recovery line. The next one must neither lose the torn line nor report it
// twice.
func TestTornLineAfterAnEarlyExit(t *testing.T) {
	const torn = `{"seq":3,"prev":"abc`
	for name, end := range map[string]func(t *testing.T, file string){
		"before the copy was complete": func(t *testing.T, file string) {
			check(t, os.WriteFile(tornPrefix(file, 3)+"20261121T010203.000000Z", []byte(torn[:5]), 0o600))
		},
		"before the line was cut off": func(t *testing.T, file string) {
			check(t, os.WriteFile(tornPrefix(file, 3)+"20261121T010203.000000Z", []byte(torn), 0o600))
		},
		"before the recovery line": func(t *testing.T, file string) {
			l, err := Open(Options{File: file})
			check(t, err)
			check(t, l.Close())
		},
		"after the recovery line": func(t *testing.T, file string) { start(t, Options{File: file}).stop() },
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "audit.jsonl")
			key := ed25519Key(t)
			l := start(t, key.options(file))
			l.add("a")
			l.stop()
			writeLines(t, file, append(readLines(t, file), []byte(torn)))
			end(t, file)
			for range 2 {
				start(t, key.options(file)).stop()
			}
			kept, _ := filepath.Glob(file + ".torn-*")
			if len(kept) != 1 {
				t.Fatalf("kept %v", kept)
			}
			if b, _ := os.ReadFile(kept[0]); string(b) != torn {
				t.Errorf("kept %q", b)
			}
			found := recoveriesIn(t, []string{file})
			if len(found) != 1 || !bytes.Contains(found[0], []byte(filepath.Base(kept[0]))) {
				t.Errorf("recoveries: %s", found)
			}
			mustVerify(t, []string{file}, VerifyOptions{Verifiers: key.verifiers})
		})
	}
}

// The same for a file that was renamed before the next one started.
func TestTornLineInARotatedFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	key := ed25519Key(t)
	l := start(t, key.options(file))
	l.add("a")
	l.stop()
	writeLines(t, file+".1", append(readLines(t, file), []byte(`{"seq":3,"prev":"abc`)))
	check(t, os.Remove(file))
	early, err := Open(key.options(file))
	check(t, err)
	check(t, early.Close())
	l = start(t, key.options(file))
	l.add("b")
	l.stop()
	if r := mustVerify(t, logFiles(t, file), VerifyOptions{Verifiers: key.verifiers}); r.Files != 2 || r.Recoveries != 1 || r.Unproven != 0 {
		t.Errorf("%+v", r)
	}
	if kept, _ := filepath.Glob(file + ".1.torn-3-*"); len(kept) != 1 {
		t.Errorf("kept %v", kept)
	}
}

// A lock that outlives its process would make the next Open fail.
func TestKilledProcessReleasesTheLock(t *testing.T) {
	file := filepath.Join(t.TempDir(), "audit.jsonl")
	var once sync.Once
	for range 2 {
		killWriter(t, file, SyncNever, 1, map[string]bool{})
		once.Do(func() { tear(t, file) })
	}
	start(t, Options{File: file}).add("a")
}
