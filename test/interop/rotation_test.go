package interop

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/ipc"
)

const (
	// The minimum publish_before with a max_age of one second. The minute is for
	// receivers like oidc-provider, which cache a JWKS that long regardless of its
	// max-age.
	publishBefore = 2 * time.Minute
	assertionLife = 15 * time.Second
	// late is the age of an assertion when a slow caller presents it. The rest of
	// its life is for a busy machine.
	late = 9 * time.Second
	// leastAsserted is the minimum number of assertions Fosite must accept.
	leastAsserted = 500
)

// receiver accepts assertions. present returns its error, or an empty string.
type receiver struct {
	grant   string
	present func(ctx context.Context, assertion string) (problem string, err error)

	mu      sync.Mutex
	taken   map[string]int // by kid
	refused []string
}

func newReceiver(grant string, present func(context.Context, string) (string, error)) *receiver {
	return &receiver{grant: grant, present: present, taken: map[string]int{}}
}

func (r *receiver) note(answer ipc.AssertionResponse, problem string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil && problem == "" {
		r.taken[answer.Kid]++
		return
	}
	r.refused = append(r.refused, fmt.Sprintf("%s: one of key %s: %s %v", time.Now().Format(time.TimeOnly), answer.Kid, problem, err))
}

// total returns the number of accepted assertions.
func (r *receiver) total() (sum int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, n := range r.taken {
		sum += n
	}
	return sum
}

// feed sends a receiver one assertion per interval until ctx ends, each when it
// reaches the given age.
func (d *daemon) feed(ctx context.Context, r *receiver, interval, age time.Duration) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// Requests in flight finish: the end of the test is not a refusal.
		whole, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		answer, err := d.Assert(whole, ipc.AssertionRequest{Grant: r.grant})
		problem := ""
		if err == nil {
			<-time.After(age)
			problem, err = r.present(whole, answer.Assertion)
		}
		r.note(answer, problem, err)
		cancel()
	}
}

func presentForToken(endpoint string) func(context.Context, string) (string, error) {
	return func(ctx context.Context, assertion string) (string, error) {
		answer, err := post(ctx, endpoint, clientCredentials(assertion))
		return strings.TrimSpace(answer.Error + " " + answer.Description), err
	}
}

// TestRotation sends assertions to three receivers throughout a rotation: the
// next version is published, starts signing, and the old one leaves the JWKS.
// Each receiver caches the JWKS in its own way; none may refuse an assertion.
func TestRotation(t *testing.T) {
	fositeServer, node := newAuthServer(t), startNode(t)
	k := newToken(t)
	first := k.generate(t, newKey{Set: "payments", Type: hsm.P256})[0].Kid
	d := start(t, k, fmt.Sprintf(`
keys:
  payments: {alg: ES256, use: assertion, rotation: {publish_before: %s, revoke: []}}
clients:
  - name: payments-api
    match: {uid: %d}
    grants:
      - {name: fosite, key: payments, profile: private_key_jwt, client_id: payments, audiences: [%q], lifetime: {default: %s}}
      - {name: oidc-provider, key: payments, profile: private_key_jwt, client_id: payments, audiences: [%q], lifetime: {default: %s}}
      - {name: jose, key: payments, profile: private_key_jwt, client_id: payments, audiences: [%q], lifetime: {default: %s}}
jwks: {listen: "127.0.0.1:0", max_age: 1s}
`, publishBefore, os.Getuid(), fositeServer.TokenURL(), assertionLife, node.Plain, assertionLife, node.JOSE, assertionLife))
	fositeServer.Register("payments", "ES256", d.jwksURL)
	serve(t, fositeServer)
	node.serve(t, d.jwksURL, []metadata{privateKeyJWT("payments", "ES256", d.jwksURL)}, nil)

	receivers := []*receiver{
		newReceiver("fosite", presentForToken(fositeServer.TokenURL())),
		newReceiver("oidc-provider", presentForToken(node.Plain+"/token")),
		newReceiver("jose", node.verifyByJOSE),
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var feeding sync.WaitGroup
	for _, r := range receivers {
		feeding.Go(func() { d.feed(ctx, r, 100*time.Millisecond, 0) })
		feeding.Go(func() { d.feed(ctx, r, 100*time.Millisecond, late) })
	}
	second := d.rotate(t, receivers, first)
	d.await(t, "assertions", func() bool { return receivers[0].total() >= leastAsserted })
	cancel()
	feeding.Wait()

	for _, r := range receivers {
		t.Logf("%s: %d by the first version, %d by the second", r.grant, r.taken[first], r.taken[second])
		if r.taken[first] == 0 || r.taken[second] == 0 {
			t.Errorf("%s did not see both versions", r.grant)
		}
		if len(r.refused) > 0 {
			t.Errorf("%s refused %d:\n%s", r.grant, len(r.refused), strings.Join(r.refused, "\n"))
		}
	}
	if n := fositeServer.Fetches.Load(); n < 2 || n > 4 {
		t.Errorf("Fosite fetched the JWKS %d times: it should cache it, and fetch it again for the second version", n)
	}
}

// rotate generates the next version, waits until it is published and signs,
// then revokes the first and waits until it has left the JWKS.
func (d *daemon) rotate(t *testing.T, receivers []*receiver, first string) (second string) {
	t.Helper()
	d.await(t, "first assertions", func() bool { // from here on each has a JWKS without the next version
		return !slices.ContainsFunc(receivers, func(r *receiver) bool { return r.total() == 0 })
	})
	second = d.generate(t, "payments")
	d.reload(t, d.own) // it looks at the token at once, as it would within a minute
	d.await(t, "publication of the next version", func() bool { return len(d.published(t)) == 2 })
	published := time.Now()
	for _, version := range d.signing(t) {
		if version != first {
			t.Error("the next version signs as soon as it is published")
		}
	}
	<-time.After(time.Until(published.Add(publishBefore - 5*time.Second)))
	d.await(t, "signatures of the next version", func() bool { return slices.Equal(d.signing(t), []string{second}) })
	// Without this the first version leaves the JWKS a minute after its last
	// assertion expires. Receivers stop needing it at that expiry.
	<-time.After(assertionLife)
	d.reload(t, strings.Replace(d.own, "revoke: []", "revoke: ["+first+"]", 1))
	d.await(t, "end of the first version", func() bool { return slices.Equal(d.published(t), []string{second}) })
	<-time.After(late)
	return second
}

// generate generates the next version of a key set with assertd key generate.
func (d *daemon) generate(t *testing.T, set string) (kid string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, binary(t, "assertd"), "key", "generate", set, "--config", d.config, "--json")
	command.Env = environment()
	var errs bytes.Buffer
	command.Stderr = &errs
	out, err := command.Output()
	var made struct{ Kid string }
	if err != nil || json.Unmarshal(out, &made) != nil || made.Kid == "" {
		t.Fatalf("assertd key generate: %v: %s%s", err, out, errs.String())
	}
	return made.Kid
}

// published returns the kids in the JWKS.
func (d *daemon) published(t *testing.T) (kids []string) {
	t.Helper()
	response, err := http.Get(d.jwksURL)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []struct{ Kid string } }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, key := range set.Keys {
		kids = append(kids, key.Kid)
	}
	return kids
}

// signing returns the kids that grants currently sign with.
func (d *daemon) signing(t *testing.T) (kids []string) {
	t.Helper()
	answer, err := d.Grants(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, granted := range answer.Grants {
		kids = append(kids, granted.Kid)
	}
	return slices.Compact(kids)
}
