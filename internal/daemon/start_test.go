package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// A daemon stopped while its workers are starting has not failed.
func TestStopBeforeReady(t *testing.T) {
	dir := peertest.Dir(t)
	path, pin, socket := filepath.Join(dir, "assertd.yaml"), filepath.Join(dir, "pin"), filepath.Join(dir, "assertd.sock")
	text := "hsm: {module: /nowhere.so, token: {label: t}, pin: {file: " + pin + "}}\n" +
		"keys: {one: {alg: ES256, use: assertion}}\nlisten: [{socket: " + socket + "}]\naudit: {required: false}\n"
	for name, content := range map[string]string{path: text, pin: "123456\n"} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	log := &logtest.Journal{}
	d, err := New(Options{
		Config: c, Logger: log, Now: time.Now,
		WorkerCommand: []string{"/bin/sleep", "60"}, // never says that it is there
		Ready:         func() { t.Error("ready without a worker") },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	waitFor(t, "the daemon listens", func() bool { _, err := os.Stat(socket); return err == nil })
	stop(signalled{})
	if err := <-ended; err != nil {
		t.Errorf("the daemon ended with %v", err)
	}
	if all := strings.Join(log.Take(), "\n"); !strings.Contains(all, "before it was ready") {
		t.Errorf("the log does not say so: %s", all)
	}
}

// signalled is a cause as signal.NotifyContext gives it.
type signalled struct{}

func (signalled) Error() string        { return "terminated signal received" }
func (signalled) Is(target error) bool { return target == context.Canceled }

// The first component that fails stops the daemon, which returns the cause.
func TestPartFails(t *testing.T) {
	ctx, fail := context.WithCancelCause(t.Context())
	g := background(ctx, fail)
	broken := errors.New("broken")
	g.run(func(context.Context) error { return nil }) // a component may end
	g.run(func(ctx context.Context) error { <-ctx.Done(); return errors.New("stopped") })
	g.run(func(context.Context) error { return broken })
	<-ctx.Done()
	g.end()
	if cause := context.Cause(ctx); cause != broken {
		t.Errorf("the daemon ends with %v", cause)
	}
}
