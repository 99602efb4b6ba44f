package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/test/softhsm"
)

// tokenFault is what a configuration says of a token that can't be used.
type tokenFault struct{ module, label, pin string }

// tokenFaults are ways in which a token can't be used, by name.
func tokenFaults(t *testing.T, k *softhsm.Token) map[string]tokenFault {
	t.Helper()
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("not-the-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	return map[string]tokenFault{
		"refused PIN": {k.Module, k.Label, wrong},
		"no token":    {k.Module, "elsewhere", k.PINFile()},
		"no module":   {"/nowhere/module.so", k.Label, k.PINFile()},
		"no PIN file": {k.Module, k.Label, "/nowhere/pin"},
	}
}

func (f tokenFault) entry(name string, k *softhsm.Token) string {
	return fmt.Sprintf("    - {name: %s, module: %s, label: %s, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s}}\n", name, f.module, f.label, f.pin, k.ConfFile)
}

// onTwoTokens is a daemon, not yet running, whose key set "one" is on the first
// token and "two" on the second.
func onTwoTokens(t *testing.T, tokens string) *running {
	t.Helper()
	r := &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t), head: "hsm:\n  workers: 1\n  tokens:\n" + tokens + "audit: {required: false}\n"}
	r.path = filepath.Join(r.dir, "assertd.yaml")
	r.write(configured([]flawed{{name: "one"}, {name: "two"}}))
	return r
}

func (r *running) load() (*config.Config, error) { return config.Load(r.path) }

// A token that can't be used disables the key sets that are on it and no
// others, whatever the reason.
func TestATokenThatCannotBeUsedDisablesItsKeySetsAlone(t *testing.T) {
	first := softhsm.New(t)
	second := first.Add("second")
	makeKey(t, first, "one")
	makeKey(t, second, "two")
	works := tokenFault{first.Module, first.Label, first.PINFile()}.entry("first", first)
	for name, fault := range tokenFaults(t, second) {
		t.Run(name, func(t *testing.T) {
			r := onTwoTokens(t, works+fault.entry("second", second))
			r.run(r.load)
			if answer := r.assert(`{"grant":"one"}`); answer.Status != http.StatusOK {
				t.Errorf("one: %s", answer.Body)
			}
			if code := r.assert(`{"grant":"two"}`).code(t); code != ipc.CodeHSMUnavailable {
				t.Errorf("two: %q", code)
			}
			ready := r.readiness()
			if !ready.Ready || len(ready.Degraded) != 1 || ready.Degraded[0].Key != "two" || ready.Degraded[0].Reason != ipc.ReasonHSMUnavailable {
				t.Errorf("%+v", ready)
			}
			if reason := r.status().Keys[1].Reason; !strings.Contains(reason, "token second have not been read") {
				t.Errorf("status says %q", reason)
			}
		})
	}
}

// check reports a token that can't be used, and the keys on the others. An
// export fails, since it would lack keys.
func TestCheckReadsTheTokensThatCanBeUsed(t *testing.T) {
	first := softhsm.New(t)
	second := first.Add("second")
	makeKey(t, first, "one")
	works := tokenFault{first.Module, first.Label, first.PINFile()}.entry("first", first)
	for name, fault := range tokenFaults(t, second) {
		t.Run(name, func(t *testing.T) {
			c, err := onTwoTokens(t, works+fault.entry("second", second)).load()
			if err != nil {
				t.Fatal(err)
			}
			o := Options{Config: c, Logger: &logtest.Journal{}, WorkerCommand: workertest.Command(), Now: time.Now}
			err = Inspect(t.Context(), o, func(ctx context.Context, i *inspect.Inspection) error {
				if len(i.Findings) != 1 || i.Prove(ctx, i.Findings[0].Key) != nil {
					t.Errorf("%+v", i.Findings)
				}
				if _, err := i.JWKS(); err == nil {
					t.Error("an export without the keys of a token")
				}
				missing := fmt.Sprint(i.Missing())
				if !strings.Contains(missing, `token "second": `) || !strings.Contains(missing, "the keys of token second have not been read") ||
					strings.Contains(missing, "key generate") {
					t.Errorf("check says\n%s", missing)
				}
				return nil
			})
			if err != nil {
				t.Errorf("inspected: %v", err)
			}
		})
	}
}

// A daemon whose tokens can't be used serves, not ready, and signs as soon as
// one can.
func TestADaemonWithoutATokenWaitsForOne(t *testing.T) {
	k := softhsm.New(t)
	makeKey(t, k, "one")
	faults := tokenFaults(t, k)
	file := filepath.Join(t.TempDir(), "pin")
	late := tokenFault{k.Module, k.Label, file}
	r := onTwoTokens(t, faults["refused PIN"].entry("refuses", k)+faults["no module"].entry("lacks", k)+late.entry("late", k))
	r.run(r.load)
	answer, err := ask(dialer(filepath.Join(r.dir, "shared.sock")), "/v1/ready", "")
	if err != nil || answer.Status != http.StatusServiceUnavailable || r.readiness().Reason != ipc.ReasonHSMUnavailable {
		t.Errorf("%d %s %v", answer.Status, answer.Body, err)
	}
	if code := r.assert(`{"grant":"one"}`).code(t); code != ipc.CodeHSMUnavailable {
		t.Errorf("one: %q", code)
	}
	if answer, err := ask(dialer(filepath.Join(r.dir, "shared.sock")), "/v1/jwks", ""); err != nil || answer.code(t) != ipc.CodeHSMUnavailable {
		t.Errorf("an empty JWKS: %d %s %v", answer.Status, answer.Body, err)
	}
	if err := os.WriteFile(file, []byte(k.PIN), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the token has come", func() bool { return r.readiness().Ready })
	if answer := r.assert(`{"grant":"one"}`); answer.Status != http.StatusOK {
		t.Errorf("one: %s", answer.Body)
	}
}

// Only if every token refuses its PIN does the daemon give up.
func TestADaemonGivesUpIfEveryTokenRefusesItsPIN(t *testing.T) {
	first := softhsm.New(t)
	second := first.Add("second")
	r := onTwoTokens(t, tokenFaults(t, first)["refused PIN"].entry("first", first)+tokenFaults(t, second)["refused PIN"].entry("second", second))
	c, err := r.load()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Config: c, Logger: r.Journal, Version: "test", WorkerCommand: workertest.Command(), Now: time.Now}
	if err := startAndStop(t, o); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Errorf("the daemon: %v", err)
	}
}

// A daemon without a grant is ready.
func TestADaemonWithoutGrantsIsReady(t *testing.T) {
	k := softhsm.New(t)
	r := onTwoTokens(t, tokenFaults(t, k)["no module"].entry("lacks", k))
	r.write("keys:\n  one: {alg: ES256, use: assertion}\nlisten: [{socket: DIR/shared.sock, mode: \"0600\"}]\n")
	r.run(r.load)
	if ready := r.readiness(); !ready.Ready || len(ready.Degraded) > 0 {
		t.Errorf("%+v", ready)
	}
}
