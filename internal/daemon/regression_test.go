package daemon

import (
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

// addVersion puts a version of key set "one" on a token and returns its kid.
func addVersion(t *testing.T, k *softhsm.Token, age time.Duration) string {
	t.Helper()
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, hsm.NewPIN([]byte(k.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	key, err := token.Generate(hsm.Spec{Label: keyset.Label("one", time.Now().Add(-age)), Type: hsm.P256})
	if err != nil {
		t.Fatal(err)
	}
	kid, err := jwks.Thumbprint(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return kid
}

// onToken is what a configuration has besides key sets and clients.
func onToken(k *softhsm.Token) string {
	return "hsm: {module: " + k.Module + ", token: {label: " + k.Label + "}, pin: {file: " + k.PINFile() + "}, " +
		"environment: {SOFTHSM2_CONF: " + k.ConfFile + "}, workers: 1}\naudit: {required: false}\njwks: {file: DIR/jwks.json}\n"
}

// rotating is a daemon, not yet running, with key set "one" on the token.
func rotating(t *testing.T, k *softhsm.Token, rotation string) *running {
	t.Helper()
	r := &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t)}
	r.path, r.head = filepath.Join(r.dir, "assertd.yaml"), onToken(k)
	r.rotate(rotation)
	return r
}

// rotate writes the configuration with another rotation.
func (r *running) rotate(rotation string) {
	r.t.Helper()
	r.write("keys:\n  one: {alg: ES256, use: assertion, rotation: {" + rotation + "}}\n" + grantOf("one", ""))
}

// signs is the kid of an assertion made now, or the problem's code.
func (r *running) signs() string {
	r.t.Helper()
	answer := r.assert(`{}`)
	if answer.Status != http.StatusOK {
		return string(answer.code(r.t))
	}
	var response ipc.AssertionResponse
	if err := json.Unmarshal(answer.Body, &response); err != nil {
		r.t.Fatal(err)
	}
	return response.Kid
}

const days = 24 * time.Hour

// A reload is refused if receivers would get assertions of a key that they
// dropped, or none. The error says which key set and version, and from when on
// it is safe.
func TestReloadThatMovesAVersionBackIsRefused(t *testing.T) {
	k := softhsm.New(t)
	retired, signing := addVersion(t, k, 100*days), addVersion(t, k, 4*days)
	r := rotating(t, k, "publish_before: 24h")
	r.run(r.load)
	for _, reload := range []struct {
		rotation, want string // what a refusal says
	}{
		{"publish_before: 168h", `key set "one": version ` + retired + " is retired and would sign again in place of " + signing},
		{"publish_before: 168h", "safe from " + time.Now().Add(3*days).UTC().Format("2006-01-02T")},
		{"publish_before: manual", "list " + signing + " under rotation.activate"},
		{"publish_before: manual, activate: [" + retired + "]", "receivers no longer have it"},
		{"publish_before: manual, activate: [" + signing + "]", ""},
		{"publish_before: manual", "no version would"},
		{"publish_before: 48h", ""},
		{"revoke: [" + retired + "]", ""},
	} {
		r.rotate(reload.rotation)
		err := r.Reload()
		if reload.want == "" && err != nil || reload.want != "" && (!errors.Is(err, keyset.ErrRegression) || !strings.Contains(err.Error(), reload.want)) {
			t.Errorf("%s: %v, want %q", reload.rotation, err, reload.want)
		}
		if kid := r.signs(); kid != signing || !r.readiness().Ready {
			t.Errorf("%s: %s signs, not %s; ready: %+v", reload.rotation, kid, signing, r.readiness())
		}
	}
}

// While a version is published, rotation.activate goes back to it.
func TestReloadGoesBackToAPublishedVersion(t *testing.T) {
	k := softhsm.New(t)
	older, newer := addVersion(t, k, 100*days), addVersion(t, k, 4*days)
	r := rotating(t, k, "publish_before: manual, activate: ["+older+", "+newer+"]")
	r.run(r.load)
	if kid := r.signs(); kid != newer {
		t.Fatalf("%s signs, not %s", kid, newer)
	}
	r.rotate("publish_before: manual, activate: [" + older + "]")
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	if kid := r.signs(); kid != older {
		t.Errorf("%s signs, not %s", kid, older)
	}
}

// A start has only the file that receivers got last. A version that was no
// longer in it stays out, and the log says so.
func TestStartHoldsBackWhatWasNoLongerPublished(t *testing.T) {
	k := softhsm.New(t)
	retired, signing := addVersion(t, k, 100*days), addVersion(t, k, 4*days)
	r := rotating(t, k, "publish_before: 24h")
	t.Run("before", func(t *testing.T) {
		first := *r
		first.t = t
		first.run(first.load)
		waitFor(t, "the keys are published", func() bool {
			text, err := os.ReadFile(filepath.Join(r.dir, "jwks.json"))
			return err == nil && strings.Contains(string(text), signing) && !strings.Contains(string(text), retired)
		})
	})
	r.rotate("publish_before: 168h")
	r.run(r.load)
	if kid := r.signs(); kid != signing {
		t.Errorf("%s signs, not %s", kid, signing)
	}
	log := ""
	waitFor(t, "the log names the version that is held back", func() bool {
		log += strings.Join(r.Take(), "\n")
		return strings.Contains(log, "it is held back") && strings.Contains(log, retired)
	})
	if err := r.Reload(); err != nil {
		t.Errorf("a reload of the same configuration: %v", err)
	}
	if kid := r.signs(); kid != signing {
		t.Errorf("after it %s signs, not %s", kid, signing)
	}
}

// A start serves what a reload did before it: the version that a revoked one
// had replaced doesn't come back.
func TestStartHoldsBackWhatARevokedVersionReplaced(t *testing.T) {
	k := softhsm.New(t)
	retired, revoked := addVersion(t, k, 100*days), addVersion(t, k, 4*days)
	r := rotating(t, k, "publish_before: 24h")
	t.Run("before", func(t *testing.T) {
		first := *r
		first.t = t
		first.run(first.load)
		r.rotate("publish_before: 24h, revoke: [" + revoked + "]")
		if err := first.Reload(); err != nil {
			t.Fatal(err)
		}
		if got := first.signs(); got != string(ipc.CodeKeyNotAvailable) {
			t.Errorf("%s signs", got)
		}
		waitFor(t, "the file has no keys", func() bool {
			text, err := os.ReadFile(filepath.Join(r.dir, "jwks.json"))
			return err == nil && !strings.Contains(string(text), retired) && !strings.Contains(string(text), revoked)
		})
	})
	r.run(r.load)
	if got := r.signs(); got != string(ipc.CodeKeyNotAvailable) {
		t.Errorf("after a start, %s signs", got)
	}
}

// A version that was made a moment before takes over from one that is revoked,
// without a gap.
func TestRevocationWaitsForTheNewVersion(t *testing.T) {
	k := softhsm.New(t)
	kids := []string{addVersion(t, k, 100*days)}
	r := rotating(t, k, "publish_before: 24h")
	r.run(r.load)
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
				if answer := r.assert(`{}`); answer.Status != http.StatusOK {
					t.Errorf("%d %s", answer.Status, answer.Body)
					return
				}
				if ready := r.readiness(); !ready.Ready {
					t.Errorf("%+v", ready)
				}
			}
		})
	}
	for n := range 5 {
		next := addVersion(t, k, time.Duration(5-n)*time.Minute)
		r.rotate("publish_before: 24h, revoke: [" + strings.Join(kids, ", ") + "]")
		if err := r.Reload(); err != nil {
			t.Error(err)
		}
		if kid := r.signs(); kid != next {
			t.Errorf("%s signs, not %s", kid, next)
		}
		kids = append(kids, next)
	}
	close(done)
	callers.Wait()
}
