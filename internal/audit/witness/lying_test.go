package witness

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/torchwood"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
)

func testKey(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

const witnessName = "witness.example.com"

// cosign signs a checkpoint as a witness does at a time.
func cosign(key ed25519.PrivateKey, text string, at time.Time) string {
	signer, err := torchwood.NewCosignatureSigner(witnessName, key)
	if err != nil {
		panic(err)
	}
	signature := binary.BigEndian.AppendUint32(nil, signer.KeyHash())
	signature = binary.BigEndian.AppendUint64(signature, uint64(at.Unix()))
	signature = append(signature, ed25519.Sign(key, fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", at.Unix(), text))...)
	return fmt.Sprintf("\u2014 %s %s\n", witnessName, base64.StdEncoding.EncodeToString(signature))
}

// answers is an HTTP server that answers each checkpoint with what a test says.
func answers(t *testing.T, answer func(w http.ResponseWriter, old, text string)) Config {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.URL.Path != "/prefix/add-checkpoint" {
			t.Errorf("%s: %v", r.URL, err)
		}
		head, note, _ := strings.Cut(string(body), "\n\n")
		text, _, _ := strings.Cut(note, "\n\n")
		old, _, _ := strings.Cut(strings.TrimPrefix(head, "old "), "\n")
		answer(w, old, text+"\n")
	}))
	t.Cleanup(server.Close)
	signer, err := torchwood.NewCosignatureSigner(witnessName, testKey(1))
	if err != nil {
		t.Fatal(err)
	}
	key, err := ParseKey(signer.Verifier().String())
	if err != nil {
		t.Fatal(err)
	}
	return Config{URL: server.URL + "/prefix/", Key: key}
}

// openLog runs a log for the time of the test.
func openLog(t *testing.T) *audit.Log {
	t.Helper()
	log, err := audit.Open(audit.Options{
		File: filepath.Join(t.TempDir(), "audit.jsonl"), Origin: "log.example", Witnessed: true, CheckpointInterval: time.Hour,
		Key: func(context.Context) (audit.Key, error) {
			key := testKey(2)
			return audit.Key{Public: key.Public(), Sign: func(_ context.Context, message []byte, _ crypto.SignerOpts) ([]byte, error) {
				return ed25519.Sign(key, message), nil
			}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- log.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, log.Close()); err != nil {
			t.Error(err)
		}
	})
	return log
}

// A witness that answers nonsense is one that is away: the log goes on, and no
// answer counts as a cosignature.
func TestALyingWitnessProvesNothing(t *testing.T) {
	now := time.Now()
	for name, answer := range map[string]func(w http.ResponseWriter, old, text string){
		"nothing":                 func(http.ResponseWriter, string, string) {},
		"garbage":                 func(w http.ResponseWriter, _, _ string) { fmt.Fprint(w, "\u2014 witness.example.com AAAA\n") },
		"cosigned with other key": func(w http.ResponseWriter, _, text string) { fmt.Fprint(w, cosign(testKey(3), text, now)) },
		"cosigned another tree": func(w http.ResponseWriter, _, text string) {
			fmt.Fprint(w, cosign(testKey(1), strings.Replace(text, "log.example", "other.example", 1), now))
		},
		"a cosignature after too much": func(w http.ResponseWriter, _, text string) {
			fmt.Fprint(w, strings.Repeat("x", maxAnswer), "\n", cosign(testKey(1), text, now))
		},
		"size without a number":       func(w http.ResponseWriter, _, _ string) { http.Error(w, "many", http.StatusConflict) },
		"the size that was asked for": func(w http.ResponseWriter, old, _ string) { http.Error(w, old, http.StatusConflict) },
		"another history of nothing":  func(w http.ResponseWriter, _, _ string) { http.Error(w, "", http.StatusUnprocessableEntity) },
		"negative size":               func(w http.ResponseWriter, _, _ string) { http.Error(w, "-1", http.StatusConflict) },
		"size that changes back and forth": func(w http.ResponseWriter, old, _ string) {
			size := map[string]string{"0": "1", "1": "0"}[old]
			http.Error(w, size, http.StatusConflict)
		},
		"unknown log":    func(w http.ResponseWriter, _, _ string) { http.Error(w, "", http.StatusNotFound) },
		"unknown key":    func(w http.ResponseWriter, _, _ string) { http.Error(w, "", http.StatusForbidden) },
		"internal error": func(w http.ResponseWriter, _, _ string) { http.Error(w, "", http.StatusInternalServerError) },
		"redirect": func(w http.ResponseWriter, _, _ string) {
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(http.StatusTemporaryRedirect)
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := openLog(t)
			g := New(Options{
				Log: log, Witnesses: []Config{answers(t, answer)}, Quorum: 1, MaxAge: time.Minute, Now: time.Now, Logger: &logtest.Journal{},
			})
			if err := g.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := g.Hold(); !errors.Is(err, ErrNoQuorum) {
				t.Errorf("hold: %v", err)
			}
			var s ipc.AuditStatus
			g.Report(&s)
			if s.WitnessedLines != 0 || len(s.Witnesses) != 1 || s.Witnesses[0].Error == "" || strings.Contains(s.Witnesses[0].Error, "rollback") {
				t.Errorf("%+v", s)
			}
			if err := log.Append(t.Context(), audit.Record{Kind: audit.KindAssertion}); err != nil {
				t.Error(err)
			}
		})
	}
}

// An old cosignature of the same checkpoint, which someone on the network may
// have kept, does not make the quorum fresh. One from the future does for no
// longer than any other.
func TestTheAgeOfACosignatureCounts(t *testing.T) {
	for name, test := range map[string]struct {
		at   time.Duration
		held bool
	}{
		"fresh": {0, false}, "old": {-2 * time.Minute, true}, "from the future": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			var later time.Duration
			g := New(Options{
				Log: openLog(t), Quorum: 1, MaxAge: time.Minute, Now: func() time.Time { return time.Now().Add(later) },
				Witnesses: []Config{answers(t, func(w http.ResponseWriter, _, text string) {
					fmt.Fprint(w, cosign(testKey(1), text, time.Now().Add(test.at)))
				})},
				Logger: &logtest.Journal{},
			})
			if err := g.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := g.Hold(); (err != nil) != test.held {
				t.Errorf("hold: %v", err)
			}
			later = 2 * time.Minute
			if err := g.Hold(); !errors.Is(err, ErrNoQuorum) {
				t.Errorf("two minutes later: %v", err)
			}
		})
	}
}

// A witness is believed when it says that it knows more, or something else.
func TestAWitnessThatKnowsAnotherLogStopsIt(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter, old, text string){
		"more lines": func(w http.ResponseWriter, _, _ string) { http.Error(w, "4711", http.StatusConflict) },
		"other lines": func(w http.ResponseWriter, old, _ string) {
			if old == "0" {
				http.Error(w, "1", http.StatusConflict)
				return
			}
			http.Error(w, "", http.StatusUnprocessableEntity)
		},
		"the same size with other lines": func(w http.ResponseWriter, _, _ string) { http.Error(w, "1", http.StatusConflict) },
		"the same size, which it does not repeat": func(w http.ResponseWriter, old, _ string) {
			http.Error(w, strings.TrimPrefix("1", old), http.StatusConflict)
		},
	} {
		t.Run(name, func(t *testing.T) {
			log := openLog(t)
			g := New(Options{Log: log, Witnesses: []Config{answers(t, answer)}, Quorum: 1, Now: time.Now, Logger: &logtest.Journal{}})
			if err := g.Start(t.Context()); !errors.Is(err, audit.ErrRolledBack) {
				t.Fatalf("error %v", err)
			}
			if err := log.Append(t.Context(), audit.Record{Kind: audit.KindAssertion}); !errors.Is(err, audit.ErrRolledBack) {
				t.Errorf("append: %v", err)
			}
		})
	}
}

// A witness that lost its own state wants a proof that needs the files of the
// log. A large log is not read before the daemon serves, but afterwards.
func TestAProofFromFilesDoesNotHoldUpTheStart(t *testing.T) {
	log := openLog(t)
	for range 5 {
		if err := log.Append(t.Context(), audit.Record{Kind: audit.KindAssertion}); err != nil {
			t.Fatal(err)
		}
	}
	g := New(Options{Log: log, Quorum: 1, Retry: 10 * time.Millisecond, Now: time.Now, Logger: &logtest.Journal{},
		Witnesses: []Config{answers(t, func(w http.ResponseWriter, old, text string) {
			if old == "0" {
				http.Error(w, "3", http.StatusConflict)
				return
			}
			fmt.Fprint(w, cosign(testKey(1), text, time.Now()))
		})},
	})
	g.proving = time.Nanosecond
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	state := func() (s ipc.AuditStatus) { g.Report(&s); return s }
	if s := state(); s.WitnessedLines != 0 || !strings.Contains(s.Witnesses[0].Error, "in the background") {
		t.Errorf("after the start: %+v", s)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- g.Run(ctx) }()
	for end := time.Now().Add(time.Minute); state().WitnessedLines == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not cosigned: %+v", state())
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A clock that is set back must not make old cosignatures young again.
func TestAClockThatIsSetBackKeepsNoQuorum(t *testing.T) {
	var back time.Duration
	g := New(Options{
		Log: openLog(t), Quorum: 1, MaxAge: 50 * time.Millisecond, Timeout: time.Minute, Retry: time.Hour,
		Now:       func() time.Time { return time.Now().Add(-back) },
		Witnesses: []Config{answers(t, func(w http.ResponseWriter, _, text string) { fmt.Fprint(w, cosign(testKey(1), text, time.Now())) })},
		Logger:    &logtest.Journal{},
	})
	if err := g.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	back = 24 * time.Hour
	for end := time.Now().Add(time.Minute); g.Hold() == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the quorum does not get old")
		}
	}
	if !g.members[0].due() {
		t.Error("the checkpoint is not sent again")
	}
}
