package policytest

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/trustpath"
	"github.com/assertd/assertd/ipc/caller"
	"github.com/assertd/assertd/signer/policy"
)

// Suite is a file of test cases and the configuration that they test.
type Suite struct {
	Path   string // of the file of cases
	Config string // path of the configuration

	simulator *Simulator
	cases     []loadedCase
}

// loadedCase is a case whose caller has been resolved to numbers.
type loadedCase struct {
	testCase
	line   int
	caller caller.Caller
}

// Load reads a file of test cases and the configuration that it names. The
// mistakes in either are one *strictyaml.Error.
func Load(path string) (*Suite, error) {
	data, err := trustpath.ReadRegular(path)
	if err != nil {
		return nil, fmt.Errorf("read the test cases: %w", withExample(err, "examples/policy/cases.yaml"))
	}
	source, err := strictyaml.Parse(path, data, config.FileRules("start with config: and cases:, as in examples/policy/cases.yaml"))
	if err != nil {
		return nil, err
	}
	var f file
	source.Decode(&f)
	if err := source.Err(); err != nil {
		return nil, err
	}
	s := &Suite{Path: path, Config: f.Config}
	if !filepath.IsAbs(f.Config) {
		s.Config = filepath.Join(filepath.Dir(path), f.Config)
	}
	if s.simulator, err = OpenSimulator(s.Config); err != nil {
		return nil, err
	}
	s.add(f.Cases, source)
	return s, source.Err()
}

// withExample says what to do about a file that does not exist.
func withExample(err error, example string) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w; correct the path, or start from %s", err, example)
	}
	return err
}

// add checks what a case's form can't express, and resolves its caller.
func (s *Suite) add(cases []testCase, source *strictyaml.Document) {
	if len(cases) == 0 {
		source.Fault("cases", "there are no cases, so nothing would be tested; add one")
	}
	lines := make(map[string]int)
	for i, c := range cases {
		path := strictyaml.Item("cases", i)
		if first, taken := lines[c.Name]; taken {
			source.Fault(path+".name", "the case on line %d has the same name; give each case its own", first)
		}
		lines[c.Name] = source.Line(path + ".name")
		c.Caller.check(path+".caller", source)
		c.Request.check(path+".request", source)
		c.Expect.check(path+".expect", c.Request.kind(), source)
		resolve := s.simulator.Caller
		if c.Request.Kubernetes != nil {
			resolve = s.simulator.KubernetesCaller
		}
		caller, err := resolve(c.Caller)
		if err != nil {
			source.Fault(path+".caller", "%v", err)
		}
		s.cases = append(s.cases, loadedCase{testCase: c, line: lines[c.Name], caller: caller})
	}
}

func (p Process) check(path string, source *strictyaml.Document) {
	if p.User != "" && p.UID != nil {
		source.Fault(path+".uid", "user and uid are both set; keep one")
	}
	if p.Group != "" && p.GID != nil {
		source.Fault(path+".gid", "group and gid are both set; keep one")
	}
}

func (r request) check(path string, source *strictyaml.Document) {
	plain := r.Grant != "" || r.Audience != "" || r.Claims != nil || r.Lifetime != 0
	switch {
	case r.Raw != nil && r.Kubernetes != nil:
		source.Fault(path+".kubernetes", "raw and kubernetes are both set; keep one")
	case r.Raw != nil && plain:
		source.Fault(path+".raw", "a request for a raw signature has no grant, audience, claims or lifetime; remove them, or remove raw")
	case r.Kubernetes != nil && plain:
		source.Fault(path+".kubernetes", "kube-apiserver names no grant, and audiences and lifetime are under kubernetes; move them there, or remove kubernetes")
	}
	if r.Kubernetes == nil {
		return
	}
	if _, _, err := r.Kubernetes.account(); err != nil {
		source.Fault(path+".kubernetes", "%v", err)
	}
}

func (e expectation) check(path string, of kind, source *strictyaml.Document) {
	if (e.Allow == nil) == (e.Refuse == "") {
		source.Fault(path, "a case expects exactly one thing; write allow: {…}, or refuse: and a code")
		return
	}
	if e.Allow == nil {
		return
	}
	for _, name := range policy.Registered() {
		if _, given := e.Allow.Claims[name]; given {
			source.Fault(path+".allow.claims."+name, "%s can't be listed under claims; set issuer, subject, audience or lifetime next to claims instead", name)
		}
	}
	e.Allow.checkKind(path+".allow", of, source)
}

// checkKind refuses expectations that this kind of result can never meet.
func (a *allowed) checkKind(path string, of kind, source *strictyaml.Document) {
	members := []struct {
		name  string
		given bool
		kinds []kind
	}{
		{"profile", a.Profile != "", []kind{assertion}}, {"issuer", a.Issuer != "", []kind{assertion, podToken}},
		{"subject", a.Subject != "", []kind{assertion, podToken}}, {"audience", a.Audience != "", []kind{assertion}},
		{"lifetime", a.Lifetime != 0, []kind{assertion, podToken}}, {"claims", a.Claims != nil, []kind{assertion}},
		{"hash", a.Hash != "", []kind{rawSignature}}, {"padding", a.Padding != "", []kind{rawSignature}},
	}
	var wrong []string
	for _, m := range members {
		if m.given && !slices.Contains(m.kinds, of) {
			wrong = append(wrong, m.name)
		}
	}
	if len(wrong) > 0 {
		source.Fault(path+"."+wrong[0], "%s has no %s; remove it", of, strings.Join(wrong, ", "))
	}
}
