package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/hsm/worker/workertest"
	"github.com/assertd/assertd/internal/atomicfile/writertest"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/inspect"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/test/softhsm"
	"github.com/assertd/assertd/test/softhsm/faulty"
)

// twoTokens is a daemon's options for a token that is empty and one that has
// the only key and goes through the faulty module. Nothing runs.
func twoTokens(t *testing.T) (Options, *faulty.Module) {
	t.Helper()
	dir, far, m := peertest.Dir(t), softhsm.New(t), faulty.Build(t)
	near := far.Add("near")
	makeKey(t, far, "one")
	remote := fmt.Sprintf("{name: far, module: %s, label: %s, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s", m.Path(), far.Label, far.PINFile(), far.ConfFile)
	for name, value := range m.Environment() {
		remote += ", " + name + ": " + value
	}
	text := strings.ReplaceAll(fmt.Sprintf(`
hsm:
  module: %s
  workers: 1
  tokens:
    - {name: near, label: %s, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s}}
    - %s}}
keys: {one: {alg: ES256, use: assertion}}
audit: {file: DIR/audit.jsonl}
budgets: {file: DIR/budgets.json}
%s`, near.Module, near.Label, near.PINFile(), near.ConfFile, remote, grantOf("one", "")), "DIR", dir)
	path := filepath.Join(dir, "assertd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return Options{Config: c, Logger: &logtest.Journal{}, Version: "test", WorkerCommand: workertest.Command(), WriterCommand: writertest.Command(), Now: time.Now}, m
}

func makeKey(t *testing.T, k *softhsm.Token, set string) {
	t.Helper()
	pin := hsm.NewPIN([]byte(k.PIN))
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, pin)
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	if _, err := token.Generate(hsm.Spec{Label: keyset.Label(set, time.Now()), Type: hsm.P256}); err != nil {
		t.Fatal(err)
	}
}

// startAndStop runs a daemon until it serves, or says why it doesn't.
func startAndStop(t *testing.T, o Options) error {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
	defer stop()
	served := false
	o.Ready = func() { served = true; stop() }
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err = d.Run(ctx); err == nil && !served {
		err = errors.New("it never served")
	}
	return err
}

// A key that is not on the token that answers first is not a reason to give up,
// nor to advise making another.
func TestStartWaitsForTheTokenThatHasTheKey(t *testing.T) {
	o, m := twoTokens(t)
	m.Set(t, "C_Login", faulty.Fault{Action: faulty.Delay, Wait: time.Second})
	if err := startAndStop(t, o); err != nil {
		t.Error(err)
	}
	if err := Inspect(t.Context(), o, func(_ context.Context, i *inspect.Inspection) error { return i.Missing() }); err != nil {
		t.Errorf("inspected: %v", err)
	}
}

func TestStartSaysWhyTheKeysTokenIsAway(t *testing.T) {
	o, _ := twoTokens(t)
	if err := os.WriteFile(o.Config.HSM.All()[1].PIN.File, []byte("not-the-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := startAndStop(t, o); err != nil {
		t.Errorf("the daemon: %v", err)
	}
	log := strings.Join(o.Logger.(*logtest.Journal).Take(), "\n")
	if strings.Contains(log, "key generate") || !strings.Contains(log, "the keys of token far have not been read") {
		t.Errorf("the log says\n%s", log)
	}
	err := Inspect(t.Context(), o, func(_ context.Context, i *inspect.Inspection) error { return i.Missing() })
	if !errors.Is(err, hsm.ErrPINIncorrect) || strings.Contains(err.Error(), "key generate") {
		t.Errorf("inspected: %v", err)
	}
}

// A checkpoint key on a token that could not be read is not missing.
func TestCheckpointDoesNotAdviseMakingAKeyOnAnUnreadToken(t *testing.T) {
	o, _ := twoTokens(t)
	checkpoints := o.Config.Keys["one"]
	checkpoints.Use, checkpoints.Alg = "raw", "ES256"
	o.Config.Keys["checkpoints"] = checkpoints
	o.Config.Audit.CheckpointKey = "checkpoints"
	for _, token := range o.Config.HSM.All() {
		if err := os.WriteFile(token.PIN.File, []byte("not-the-pin"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := startAndStop(t, o); !errors.Is(err, hsm.ErrPINIncorrect) {
		t.Errorf("the daemon: %v", err)
	}
	log := strings.Join(o.Logger.(*logtest.Journal).Take(), "\n")
	if strings.Contains(log, "key generate") || !strings.Contains(log, "have not been read") {
		t.Errorf("the log says\n%s", log)
	}
}

// refuseNear starts a daemon on twoTokens whose near token refuses the PIN;
// fixPIN puts the right one in its place. The far one has the key. An earlier
// run left a jwks.file.
func refuseNear(t *testing.T) (d *Daemon, fixPIN func()) {
	t.Helper()
	o, _ := twoTokens(t)
	pin := o.Config.HSM.All()[0].PIN
	right, err := os.ReadFile(pin.File)
	if err != nil {
		t.Fatal(err)
	}
	wrong := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(wrong, []byte("not-the-pin"), 0o600); err != nil {
		t.Fatal(err)
	}
	pin.File = wrong
	o.Config.JWKS.Listen = "127.0.0.1:0"
	o.Config.JWKS.File = filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(o.Config.JWKS.File, []byte("former"), 0o600); err != nil {
		t.Fatal(err)
	}
	d = runUntilReady(t, o)
	return d, func() {
		if err := errors.Join(os.WriteFile(wrong, right, 0o600), d.retryTokens(false)); err != nil {
			t.Error(err)
		}
	}
}

// runUntilReady runs a daemon until the test ends, and returns once it is
// ready.
func runUntilReady(t *testing.T, o Options) *Daemon {
	t.Helper()
	ready := make(chan struct{})
	o.Ready = func() { close(ready) }
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	select {
	case <-ready:
	case err := <-ended:
		t.Fatal(err)
	}
	return d
}

// A token that never answers doesn't hold up a reload, which goes by the keys
// that are known.
func TestReloadDoesNotWaitForATokenThatHangs(t *testing.T) {
	o, m := twoTokens(t)
	o.Reread = func() (*config.Config, error) { return o.Config, nil }
	d := runUntilReady(t, o)
	m.Set(t, "C_FindObjectsInit", faulty.Fault{Action: faulty.Hang})
	begun := time.Now()
	if err := d.Reload(); err != nil {
		t.Error(err)
	}
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("the reload took %s", took)
	}
	if _, err := d.ring.SigningKey("one"); err != nil {
		t.Error(err)
	}
}

// GET /v1/ready says what each worker is doing, and nothing else about it.
func TestReadyNamesWorkers(t *testing.T) {
	d, _ := refuseNear(t)
	want := `"workers":[{"token":"near","worker":0,"state":"refused"},{"token":"far","worker":0,"state":"ready"}]}`
	waitFor(t, want, func() bool {
		answer, err := ask(dialer(d.Config.Listen[0].Socket), "/v1/ready", "")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(answer.Body), `{"ready":true,"warnings":["pin-refused"],`+want)
	})
}

func waitFor(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not within 20 s: " + what)
		}
	}
}
