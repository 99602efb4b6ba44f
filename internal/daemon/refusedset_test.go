package daemon

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/jwks"
	"github.com/assertd/assertd/test/softhsm"
)

// flawed is a key set with something wrong, and what its callers get.
type flawed struct {
	name, settings string
	detail         string // of key-not-available; empty if the set signs
	refused        string // what operators read of a pair that is left out
}

// flawedSets puts the keys of key sets on a token. "sound" has nothing wrong.
func flawedSets(t *testing.T, k *softhsm.Token) []flawed {
	t.Helper()
	now := time.Now()
	label := func(set string) string { return keyset.Label(set, now.Add(-time.Hour)) }
	older := func(set string) string { return keyset.Label(set, now.Add(-2*time.Hour)) }
	k.Generate(label("sound"), label("waits"), "stray/backup", label("twice"), label("twice"),
		label("tidy"), "tidy/backup", older("fallback"), label("replaced"))
	k.GenerateDeriving(label("derives"))
	k.GenerateDeriving(label("fallback"))
	k.GenerateDeriving(older("replaced"))
	k.GeneratePSS("unfit")
	k.GenerateMismatched(label("halves"))
	return []flawed{
		{name: "sound"},
		{name: "empty", detail: "it has no key"},
		{name: "waits", settings: ", rotation: {publish_before: manual}", detail: "no version of it is activated"},
		{name: "stray", detail: "its keys are refused", refused: `label "stray/backup"`},
		{name: "twice", detail: "its keys are refused", refused: "label used twice"},
		{name: "tidy", refused: `label "tidy/backup": it doesn't end in a creation time such as 20260131T120000Z; if the key isn't a version of "tidy", change its label`},
		{name: "derives", detail: "its keys are refused", refused: "CKA_DERIVE is true"},
		{name: "fallback", refused: "CKA_DERIVE is true"},
		{name: "unfit", settings: ", label: unfit, alg: RS256", detail: "its keys are refused", refused: "allows only CKM_RSA_PKCS_PSS"},
		{name: "halves", detail: "its keys are refused", refused: "does not verify with the public key"},
		{name: "replaced", settings: ", rotation: {revoke: [" + kidOf(t, k, older("replaced")) + "]}"},
	}
}

// kidOf returns the kid of the key with a label.
func kidOf(t *testing.T, k *softhsm.Token, label string) string {
	t.Helper()
	token, err := hsm.Open(hsm.Config{Module: k.Module, Label: k.Label}, hsm.NewPIN([]byte(k.PIN)))
	if err != nil {
		t.Fatal(err)
	}
	defer token.Close()
	keys, err := token.Keys()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(keys, func(key *hsm.Key) bool { return key.Label() == label })
	kid, err := jwks.Thumbprint(keys[i].Public())
	if err != nil {
		t.Fatal(err)
	}
	return kid
}

// configured is what a configuration has of key sets, each with a grant of its
// name.
func configured(sets []flawed) string {
	keys, grants := "keys:\n", ""
	for _, set := range sets {
		settings := set.settings
		if !strings.Contains(settings, "alg:") {
			settings += ", alg: ES256"
		}
		keys += fmt.Sprintf("  %s: {use: assertion%s}\n", set.name, settings)
		grants += fmt.Sprintf("      - {name: %s, key: %[1]s, profile: private_key_jwt, client_id: id, audiences: [https://as.example]}\n", set.name)
	}
	return keys + strings.Replace(grantOf("x", ""), "      - {name: g, key: x, profile: private_key_jwt, client_id: id, audiences: [https://as.example]}\n", grants, 1)
}

// expect checks what the callers of each set get, and what readiness and status
// say.
func (r *running) expect(sets []flawed) {
	r.t.Helper()
	var down []string
	for _, set := range sets {
		answer := r.assert(`{"grant":"` + set.name + `"}`)
		if set.detail == "" {
			if answer.Status != http.StatusOK {
				r.t.Errorf("%s: %s", set.name, answer.Body)
			}
			continue
		}
		down = append(down, set.name)
		if code := answer.code(r.t); code != ipc.CodeKeyNotAvailable || !strings.Contains(string(answer.Body), fmt.Sprintf(`Key set \"%s\" can't sign: %s.`, set.name, set.detail)) {
			r.t.Errorf("%s: %d %s", set.name, answer.Status, answer.Body)
		}
	}
	slices.Sort(down)
	var degraded []string
	ready := r.readiness()
	for _, d := range ready.Degraded {
		degraded = append(degraded, d.Key)
		if d.Reason != ipc.ReasonKeyNotAvailable || d.Detail == "" {
			r.t.Errorf("degraded: %+v", d)
		}
	}
	if !ready.Ready || !slices.Equal(degraded, down) {
		r.t.Errorf("ready %v, degraded %q, want %q", ready.Ready, degraded, down)
	}
	status := r.status()
	for i, set := range sets {
		at := slices.IndexFunc(status.Keys, func(key ipc.KeySetStatus) bool { return key.Name == sets[i].name })
		key := status.Keys[at]
		if (key.Signing == "") != (set.detail != "") || (key.Reason == "") != (set.detail == "") {
			r.t.Errorf("%s: signing %q, reason %q", set.name, key.Signing, key.Reason)
		}
		if refused := strings.Join(key.Refused, "\n"); !strings.Contains(refused, set.refused) || set.refused == "" && refused != "" {
			r.t.Errorf("%s: refused %q, want %q", set.name, refused, set.refused)
		}
	}
}

// flawedDaemon runs a daemon on the token with the given sets.
func flawedDaemon(t *testing.T, k *softhsm.Token, sets []flawed) *running {
	t.Helper()
	r := &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t), head: fmt.Sprintf(
		"hsm: {module: %s, token: {label: %s}, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s}, workers: 1}\naudit: {required: false}\n",
		k.Module, k.Label, k.PINFile(), k.ConfFile)}
	r.path = filepath.Join(r.dir, "assertd.yaml")
	r.write(configured(sets))
	r.run(func() (*config.Config, error) { return config.Load(r.path) })
	return r
}

// A key set that can't sign is refused alone: its callers learn why, and all
// others are served. A pair that can't be used is left out, if another version
// can sign. A start judges as a reload does.
func TestAKeySetThatCannotSignIsRefusedAlone(t *testing.T) {
	k := softhsm.New(t)
	sets := flawedSets(t, k)
	t.Run("start", func(t *testing.T) {
		r := flawedDaemon(t, k, sets)
		r.expect(sets)
		if log := strings.Join(r.Take(), "\n"); !strings.Contains(log, "a key set can't sign") {
			t.Errorf("the log says\n%s", log)
		}
	})
	t.Run("reload", func(t *testing.T) {
		r := flawedDaemon(t, k, sets[:1])
		r.expect(sets[:1])
		r.write(configured(sets))
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the key sets have been tried", func() bool { return len(r.readiness().Degraded) == 7 })
		r.expect(sets)
	})
	t.Run("none left", func(t *testing.T) {
		r := flawedDaemon(t, k, sets[1:2])
		answer, err := ask(dialer(filepath.Join(r.dir, "shared.sock")), "/v1/ready", "")
		if err != nil || answer.Status != http.StatusServiceUnavailable || r.readiness().Reason != ipc.ReasonKeyNotAvailable {
			t.Errorf("%d %s %v", answer.Status, answer.Body, err)
		}
		r.write(configured(sets[:2]))
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the daemon is ready", func() bool { return r.readiness().Ready })
	})
}
