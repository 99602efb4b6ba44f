package audit

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/ipc/caller"
)

const testOrigin = "audit.example/assertd"

// runningLog is a log whose Run is running.
type runningLog struct {
	*Log
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
	once   sync.Once
}

// start opens a log and runs it until the test ends or calls stop.
func start(t *testing.T, o Options) *runningLog {
	t.Helper()
	l, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, l)
}

// run runs a log until the test ends or calls stop.
func run(t *testing.T, l *Log) *runningLog {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &runningLog{Log: l, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- l.Run(ctx) }()
	t.Cleanup(r.stop)
	return r
}

func (r *runningLog) stop() {
	r.once.Do(func() {
		r.cancel()
		if err := <-r.done; err != nil {
			r.t.Error(err)
		}
		if err := r.Close(); err != nil {
			r.t.Error(err)
		}
	})
}

func (r *runningLog) add(jtis ...string) {
	r.t.Helper()
	for _, jti := range jtis {
		if err := r.Append(r.t.Context(), sample(jti)); err != nil {
			r.t.Fatal(err)
		}
	}
}

func sample(jti string) Record {
	return Record{
		Time: time.Date(2026, 11, 21, 1, 2, 3, 4000, time.UTC), Kind: KindAssertion, RequestID: "r-" + jti,
		Caller: caller.Caller{UID: 1000, GID: 1000, PID: 4242, Executable: "/usr/bin/payments-api", Unit: "payments.service"},
		Client: "payments-api", Grant: "bank-a", Key: "payments", Kid: "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		Profile: "private_key_jwt", Audience: "https://as.bank-a.example", JTI: jti, LifetimeSeconds: 60,
		ClaimNames: []string{"scope"}, Outcome: OutcomeAllowed, LatencyMicros: 850,
	}
}

func jtis(from, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf("jti-%06d", from+i)
	}
	return list
}

// testKey is a software key in place of the HSM's.
type testKey struct {
	key       Key
	verifiers []note.Verifier
}

func ed25519Key(t testing.TB) testKey {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey(t, private)
}

func ecdsaKey(t testing.TB) testKey {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey(t, private)
}

func signingKey(t testing.TB, s crypto.Signer) testKey {
	t.Helper()
	v, err := NewVerifier(testOrigin, s.Public())
	if err != nil {
		t.Fatal(err)
	}
	return testKey{key: newKey(s), verifiers: []note.Verifier{v}}
}

// options returns the options of a signed log that does nothing on a timer
// unless the test changes them.
func (s testKey) options(file string) Options {
	return Options{
		File: file, Interval: time.Hour, CheckpointInterval: time.Hour, Origin: testOrigin,
		Key: func(context.Context) (Key, error) { return s.key, nil },
	}
}

// newKey returns a Key for a software key.
func newKey(s crypto.Signer) Key {
	return Key{Public: s.Public(), Sign: func(_ context.Context, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
		return s.Sign(rand.Reader, digest, opts)
	}}
}

// logFiles lists the files of a log, without those set aside.
func logFiles(t testing.TB, file string) []string {
	t.Helper()
	files, err := Files(file)
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func mustVerify(t testing.TB, files []string, o VerifyOptions) Report {
	t.Helper()
	r, err := Verify(context.Background(), files, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func readLines(t testing.TB, file string) [][]byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(b, []byte("\n"))
	return slices.DeleteFunc(lines, func(l []byte) bool { return len(l) == 0 })
}

// recoveriesIn returns the recovery lines in files.
func recoveriesIn(t testing.TB, files []string) [][]byte {
	t.Helper()
	var found [][]byte
	for _, f := range files {
		for _, line := range readLines(t, f) {
			if l, err := parseLink(bytes.TrimSuffix(line, []byte("\n"))); err == nil && l.kind == kindRecovery {
				found = append(found, line)
			}
		}
	}
	return found
}

func writeLines(t testing.TB, file string, lines [][]byte) {
	t.Helper()
	if err := os.WriteFile(file, bytes.Join(lines, nil), 0o600); err != nil {
		t.Fatal(err)
	}
}

// jtisIn collects the jtis of the records in files.
func jtisIn(t testing.TB, files []string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, f := range files {
		for _, line := range readLines(t, f) {
			if _, rest, ok := strings.Cut(string(line), `"jti":"`); ok {
				jti, _, _ := strings.Cut(rest, `"`)
				found[jti] = true
			}
		}
	}
	return found
}

// eventually polls until ok returns true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
		time.Sleep(2 * time.Millisecond)
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
