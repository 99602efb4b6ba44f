package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/atomicfile/writertest"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/ratelimit"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/ipc"
)

// grantOf is a configuration with one grant for the test's own user.
func grantOf(key, rest string) string {
	return fmt.Sprintf(`
clients:
  - name: self
    match: {uid: %d}
    grants:
      - {name: g, key: %s, profile: private_key_jwt, client_id: id, audiences: [https://as.example]%s}
listen: [{socket: DIR/shared.sock, mode: "0600"}]
`, os.Getuid(), key, rest)
}

func (r *running) assert(body string) reply {
	r.t.Helper()
	answer, err := ask(dialer(filepath.Join(r.dir, "shared.sock")), "/v1/assertions", body)
	if err != nil {
		r.t.Error(err)
	}
	return answer
}

func (r *running) readiness() ipc.ReadyResponse {
	r.t.Helper()
	answer, err := ask(dialer(filepath.Join(r.dir, "shared.sock")), "/v1/ready", "")
	var state ipc.ReadyResponse
	if err == nil {
		err = json.Unmarshal(answer.Body, &state)
	}
	if err != nil {
		r.t.Fatal(err)
	}
	return state
}

// TestReloadUnderLoad swaps key sets, budgets and clients while requests come:
// each is answered by one configuration or the other, never by a mix.
func TestReloadUnderLoad(t *testing.T) {
	r := serveDaemon(t, grantOf("one", ", rate: [{limit: 100000, per: 1m}]"))
	done := make(chan struct{})
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if answer := r.assert(`{"grant":"g"}`); answer.Status != http.StatusOK {
					t.Errorf("%d %s", answer.Status, answer.Body)
					return
				}
			}
		})
	}
	for n := range 30 {
		if n%2 == 0 {
			r.write(grantOf("two", ""))
			// A key set that goes takes nothing along that was decided before.
			r.drop("  one: {alg: ES256, use: assertion}\n")
		} else {
			r.write(grantOf("one", ", rate: [{limit: 100000, per: 1h}]"))
		}
		if err := r.Reload(); err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	callers.Wait()
}

// drop takes text out of the configuration.
func (r *running) drop(text string) {
	r.t.Helper()
	whole, err := os.ReadFile(r.path)
	if err != nil || !strings.Contains(string(whole), text) {
		r.t.Fatal("nothing to drop", err)
	}
	if err := os.WriteFile(r.path, []byte(strings.Replace(string(whole), text, "", 1)), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// TestRefusedReload: a refused reload changes nothing and is remembered until
// one succeeds. Callers learn that it happened, and nothing from the file.
func TestRefusedReload(t *testing.T) {
	r := serveDaemon(t, grantOf("one", ""))
	begun := r.LastReload()
	if begun.Success.IsZero() || !begun.Failure.IsZero() || begun.Err != nil || r.readiness().Warnings != nil {
		t.Errorf("%+v", begun)
	}
	for name, c := range map[string]struct {
		rest string
		want error
	}{
		"syntax":      {"clients: [", strictyaml.ErrInvalid},
		"meaning":     {grantOf("three", ""), strictyaml.ErrInvalid},
		"restart":     {grantOf("one", "") + "log: {level: debug}\n", config.ErrRestart},
		"other token": {strings.Replace(grantOf("one", ""), "0600", "0660", 1), config.ErrRestart},
	} {
		r.write(c.rest)
		if err := r.Reload(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		state := r.LastReload()
		if !errors.Is(state.Err, c.want) || state.Failure.IsZero() || !state.Success.Equal(begun.Success) {
			t.Errorf("%s: %+v", name, state)
		}
		ready := r.readiness()
		if !ready.Ready || len(ready.Warnings) != 1 || ready.Warnings[0] != ipc.WarningReloadRefused || ready.Detail != "" {
			t.Errorf("%s: %+v", name, ready)
		}
		if answer := r.assert(`{}`); answer.Status != http.StatusOK {
			t.Errorf("%s: %s", name, answer.Body)
		}
	}
	if log := strings.Join(r.Take(), "\n"); strings.Count(log, "ERROR reload refused") != 4 || !strings.Contains(log, "assertd.yaml:") {
		t.Errorf("the log says\n%s", log)
	}
	r.write(grantOf("two", ""))
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	state := r.LastReload()
	if state.Err != nil || !state.Success.After(begun.Success) || state.Failure.IsZero() || r.readiness().Warnings != nil {
		t.Errorf("%+v", state)
	}
}

// TestReloadKeepsWhatWasSpent in windows that stay, also if their limit
// changes.
func TestReloadKeepsWhatWasSpent(t *testing.T) {
	r := serveDaemon(t, grantOf("one", ", rate: [{limit: 3, per: 1h}]"))
	spend := func(want ...ipc.Code) {
		t.Helper()
		for _, code := range want {
			if got := r.assert(`{}`).code(t); got != code {
				t.Errorf("%q, want %q\n%s", got, code, strings.Join(r.Take(), "\n"))
			}
		}
	}
	reload := func(rest string) {
		t.Helper()
		r.write(grantOf("one", rest))
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
	}
	spend("", "")
	reload(", rate: [{limit: 3, per: 1h}]")
	spend("", ipc.CodeRateLimited)
	reload(", rate: [{limit: 4, per: 1h}]")
	spend("", ipc.CodeRateLimited)
	reload(", rate: [{limit: 4, per: 1h}, {limit: 1000, per: 1m}]")
	spend(ipc.CodeRateLimited)
	reload(", rate: [{limit: 1000, per: 1m}]")
	spend("")
}

// TestBudgetsFile: what can't be read or written is found at the start. A
// damaged file doesn't prevent a start: TestDamagedFileIsSetAside.
func TestBudgetsFile(t *testing.T) {
	for name, spoil := range map[string]func(file string) error{
		"a directory": func(file string) error { return os.Mkdir(file, 0o700) },
		"open to all": func(file string) error {
			return errors.Join(os.WriteFile(file, []byte("{}"), 0o600), os.Chmod(file, 0o666))
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "budgets.json")
			if err := spoil(file); err != nil {
				t.Fatal(err)
			}
			parts, err := newDecisions(&config.Config{})
			if err != nil {
				t.Fatal(err)
			}
			d := &Daemon{Options: Options{Config: &config.Config{Budgets: config.Budgets{File: file}}, Now: time.Now, WriterCommand: writertest.Command()}, decisions: parts}
			if d.limiter, err = ratelimit.New(parts.budgets); err != nil {
				t.Fatal(err)
			}
			err = d.loadBudgets(t.Context())
			if err == nil || !strings.HasPrefix(err.Error(), "budgets.file: ") {
				t.Errorf("%v", err)
			}
		})
	}
}
