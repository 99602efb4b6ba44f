package modules

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"golang.org/x/mod/sumdb/note"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/keyadmin"
	"github.com/assertd/assertd/ipc"
)

// TestConformance asks of every module what assertd asks of SoftHSM, with the
// built programs. What it found must be what docs/hsm/table.md says.
func TestConformance(t *testing.T) {
	conformAll(t, []candidate{
		{"SoftHSM", SoftHSM},
		{"NSS", NSS},
		{"opencryptoki", opencryptoki},
		{"p11-kit client", P11KitClient},
		{"p11-kit proxy", P11KitProxy},
		{"pkcs11-spy", Spy},
		{"tpm2-pkcs11", TPM2},
		{"tpm2-pkcs11 without a resource manager", TPM2Direct},
	})
}

// candidate is a module and its name in docs/hsm/table.md.
type candidate struct {
	name string
	set  func(testing.TB) *Module
}

func conformAll(t *testing.T, modules []candidate) {
	for _, module := range modules {
		t.Run(module.name, func(t *testing.T) {
			if m := module.set(t); m != nil {
				m.Setenv(t)
				compare(t, module.name, conform(t, m))
			}
		})
	}
}

func opencryptoki(t testing.TB) *Module {
	return Opencryptoki(t, "-test.run=^TestConformance$/^opencryptoki$", fmt.Sprintf("-update=%v", *update))
}

// conform takes the token through the life of its keys.
func conform(t *testing.T, m *Module) table {
	results := newTable(m)
	s := newSite(t, m, results.algorithms())
	s.probes()
	s.refusesWrongPIN()
	s.generate(results)
	s.adopt(results)
	s.imports(results)
	if len(s.sets) == 0 {
		t.Fatal("the token makes no key that assertd can use")
	}
	s.certifies()
	s.assertd("check")
	s.serve()
	s.assertAll(results.sign)
	s.many(s.signatures())
	s.recovers(results)
	s.rotates(results)
	s.revokes()
	s.stop()
	s.audited()
	return results
}

// refusesWrongPIN makes sure that the token takes only its PIN, and is asked
// once.
func (s *site) refusesWrongPIN() {
	s.t.Helper()
	out, err := s.try("key", "list", "--pin-file", s.path("wrong"))
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 4 || !strings.Contains(out, "tried once") {
		s.t.Fatalf("with a wrong PIN: %v: %s", err, out)
	}
}

// generate makes a key for each algorithm and keeps the sets that have one.
func (s *site) generate(results table) {
	s.t.Helper()
	if s.checkpoints {
		_, err := s.try("key", "generate", "audit")
		s.checkpoints = err == nil
	}
	s.sets = slices.DeleteFunc(s.sets, func(set *keySet) bool {
		start := time.Now()
		out, err := s.try("key", "generate", set.name())
		s.t.Logf("%s: a key after %v: %v %s", set.alg, time.Since(start).Round(time.Millisecond), err, reason(out, err))
		*results.generate(set.alg) = err == nil
		return err != nil
	})
	s.configure()
	s.versions()
}

func reason(out string, err error) string {
	if err == nil {
		return ""
	}
	return out
}

// adopt makes a key under a label that isn't assertd's, as another program
// does, and adopts it. Its attributes are those that custody asks for.
func (s *site) adopt(results table) {
	s.t.Helper()
	for i, set := range s.sets {
		label := "legacy-" + set.name()
		s.foreignKey(set.alg, label)
		out, err := s.try("key", "adopt", "legacy", "--label", label, "--alg", set.alg)
		*results.adopt(set.alg) = err == nil && strings.Contains(out, label)
		if i > 0 { // the first stays: destroying a version must not touch it
			s.destroyForeign(label)
		}
	}
}

func (s *site) foreignKey(alg, label string) {
	s.t.Helper()
	s.onToken(func(token *hsm.Token) error {
		typ, err := keyadmin.KeyType(alg, 0)
		if strings.HasPrefix(string(typ), "RSA") {
			typ = hsm.RSA2048
		}
		if err == nil {
			_, err = token.Generate(hsm.Spec{Label: label, Type: typ, Alg: alg, AcceptImported: s.m.Imported})
		}
		return err
	})
}

func (s *site) destroyForeign(label string) {
	s.t.Helper()
	s.onToken(func(token *hsm.Token) error {
		key, err := token.Find(hsm.Selector{Label: label})
		if err == nil {
			err = token.Destroy(key)
		}
		return err
	})
}

func (s *site) onToken(use func(*hsm.Token) error) {
	s.t.Helper()
	token, err := hsm.OpenRetrying(s.t.Context(), hsm.Config{Module: s.m.Path, Label: s.m.Label}, hsm.NewPIN([]byte(s.m.PIN)))
	check(s.t, err)
	defer token.Close()
	check(s.t, use(token))
}

// assertAll asks for an assertion of each set, and verifies it with go-jose or,
// for ML-DSA, OpenSSL.
func (s *site) assertAll(result func(alg string) *bool) {
	s.t.Helper()
	document, err := s.client.JWKS(s.t.Context())
	check(s.t, err)
	for _, set := range s.sets {
		answer, err := s.client.Assert(s.t.Context(), ipc.AssertionRequest{Grant: set.name()})
		if err == nil {
			err = verify(set, answer.Assertion, document, time.Now().Add(s.shift))
		}
		if *result(set.alg) = err == nil; err != nil {
			s.t.Errorf("%s: %v", set.alg, err)
		}
	}
}

// verify verifies an assertion by the version that signs now: the newest.
func verify(set *keySet, assertion string, document []byte, now time.Time) error {
	if strings.HasPrefix(set.alg, "ML-DSA-") {
		return verifyMLDSA(set, assertion, document)
	}
	keys, err := parsedByGoJose(document)
	if err != nil {
		return err
	}
	token, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(set.alg)})
	if err != nil {
		return err
	}
	kid := token.Headers[0].KeyID
	if kid != set.kids[len(set.kids)-1] || len(keys.Key(kid)) != 1 {
		return fmt.Errorf("the key is %s; the versions are %v", kid, set.kids)
	}
	var claims jwt.Claims
	if err := token.Claims(keys.Key(kid)[0].Key, &claims); err != nil {
		return err
	}
	return claims.ValidateWithLeeway(jwt.Expected{Time: now, AnyAudience: jwt.Audience{"https://as.example"}}, 0)
}

// parsedByGoJose parses a JWKS without its ML-DSA keys: go-jose refuses a whole
// set for one key that it doesn't know.
func parsedByGoJose(document []byte) (keys jose.JSONWebKeySet, err error) {
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(document, &set); err != nil {
		return keys, err
	}
	for _, text := range set.Keys {
		if strings.Contains(string(text), `"kty":"AKP"`) {
			continue
		}
		var key jose.JSONWebKey
		if err := key.UnmarshalJSON(text); err != nil {
			return keys, err
		}
		keys.Keys = append(keys.Keys, key)
	}
	return keys, nil
}

// signatures is how many assertions a module makes one after the other.
func (s *site) signatures() int {
	if s.m.Only != nil { // it makes 1,000 elsewhere, with a resource manager
		return 100
	}
	return 1000
}

// many asks for assertions of the first set from four callers.
func (s *site) many(n int) {
	s.t.Helper()
	start, grant := time.Now(), s.sets[0].name()
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for range n / 4 {
				if _, err := s.client.Assert(s.t.Context(), ipc.AssertionRequest{Grant: grant}); err != nil {
					s.t.Errorf("one of %d assertions: %v", n, err)
					return
				}
			}
		})
	}
	callers.Wait()
	s.t.Logf("%d assertions with %s in %v", n, s.sets[0].alg, time.Since(start).Round(time.Millisecond))
}

// recovers kills the worker, and then stops and starts what the module needs.
// Every key signs after each.
func (s *site) recovers(results table) {
	s.t.Helper()
	s.killWorker()
	s.awaitAssertions()
	s.assertAll(results.recover)
	if s.m.Daemons() == 0 {
		return
	}
	s.m.Restart(s.t)
	s.awaitAssertions()
	s.assertAll(results.recover)
}

// awaitAssertions waits until every set signs.
func (s *site) awaitAssertions() {
	s.t.Helper()
	for _, set := range s.sets {
		var failure error
		eventually(s.t, set.alg+" signs again", func() bool {
			_, failure = s.client.Assert(s.t.Context(), ipc.AssertionRequest{Grant: set.name()})
			return failure == nil
		})
	}
	s.awaitReady()
}

// rotates makes a second version of each set, which signs after its time of
// publication. When the first has retired it is pruned.
func (s *site) rotates(results table) {
	s.t.Helper()
	s.beside(func() {
		for _, set := range s.sets {
			s.assertd("key", "generate", set.name())
		}
		s.versions()
	})
	s.stop()
	s.shift = 30 * time.Minute
	s.serve()
	s.assertAll(results.rotate)
	s.stop()
	s.shift = 2 * time.Hour
	prune := []string{"key", "prune"}
	for _, set := range s.sets {
		prune = append(prune, "--yes-destroy", set.kids[0])
	}
	s.assertd(prune...)
	s.versions()
	for _, set := range s.sets {
		if len(set.kids) != 1 {
			s.t.Errorf("%s has the versions %v after the first was pruned", set.alg, set.kids)
		}
	}
}

// revokes revokes and destroys the version of the first set that signs. The
// next one signs.
func (s *site) revokes() {
	s.t.Helper()
	set := s.sets[0]
	s.assertd("key", "generate", set.name())
	revoked := set.kids[0]
	s.shift = 3 * time.Hour
	set.revoked = append(set.revoked, revoked)
	s.configure()
	s.serve()
	s.beside(func() {
		s.assertd("key", "destroy", revoked, "--yes-destroy", revoked)
		s.versions()
	})
	if slices.Contains(set.kids, revoked) || len(set.kids) != 1 {
		s.t.Errorf("%s was revoked and destroyed; the versions are %v", revoked, set.kids)
	}
	s.assertAll(func(string) *bool { return new(bool) })
}

// audited verifies the audit log and, where the token makes keys that sign
// them, its checkpoints.
func (s *site) audited() {
	s.t.Helper()
	files, err := audit.Files(s.path("audit.jsonl"))
	check(s.t, err)
	var options audit.VerifyOptions
	if s.checkpoints {
		verifier, err := audit.ParseVerifier(s.assertd("audit", "key"))
		check(s.t, err)
		options.Verifiers = []note.Verifier{verifier}
	}
	report, err := audit.Verify(s.t.Context(), files, options)
	check(s.t, err)
	if (report.Checkpoints > 0) != s.checkpoints || report.Unverified != 0 {
		s.t.Errorf("checkpoints: %+v", report)
	}
}
