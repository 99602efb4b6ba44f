package policytest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

// Suite is a file of cases and the configuration that they are about.
type Suite struct {
	Path   string // of the file of cases
	Config string // path of the configuration

	simulator *Simulator
	cases     []prepared
}

// prepared is a case whose caller is known by numbers.
type prepared struct {
	kase
	line int
	from policy.Caller
}

// Load reads a file of cases and the configuration that it names. Mistakes in
// either are reported all at once with line and column, as a *strictyaml.Error.
func Load(path string) (*Suite, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the cases: %w", err)
	}
	var f file
	source, err := strictyaml.Parse(path, data, config.FileRules("begin with config: and cases:, as in examples/policy/cases.yaml"))
	if err != nil {
		return nil, err
	}
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
	s.prepare(f, source)
	return s, source.Err()
}

// prepare checks what the form of a case can't say and turns its caller into
// numbers.
func (s *Suite) prepare(f file, source *strictyaml.Document) {
	if len(f.Cases) == 0 {
		source.Fault("cases", "there are no cases, so nothing would be tested; write one")
	}
	names := make(map[string]int)
	for i, c := range f.Cases {
		path := fmt.Sprintf("cases[%d]", i)
		if first, taken := names[c.Name]; taken {
			source.Fault(path+".name", "the case on line %d has this name too; give each its own", first)
		}
		names[c.Name] = source.Line(path + ".name")
		c.Request.check(path+".request", source)
		c.Expect.check(path+".expect", c.Request.Raw != nil, source)
		from, err := s.simulator.Caller(c.Caller.describe(path+".caller", source))
		if err != nil {
			source.Fault(path+".caller", "%v", err)
		}
		s.cases = append(s.cases, prepared{kase: c, line: names[c.Name], from: from})
	}
}

// describe brings names and numbers into one form.
func (c caller) describe(path string, source *strictyaml.Document) Caller {
	if c.User != "" && c.UID != nil {
		source.Fault(path+".uid", "user and uid are both given; keep one")
	}
	if c.Group != "" && c.GID != nil {
		source.Fault(path+".gid", "group and gid are both given; keep one")
	}
	described := Caller{
		User: c.User, Groups: c.Groups, Executable: c.Executable, ExecutableSHA256: c.ExecutableSHA256,
		Unit: c.Unit, Container: c.Container, Listener: c.Listener,
	}
	if c.UID != nil {
		described.User = strconv.FormatUint(uint64(*c.UID), 10)
	}
	primary := c.Group
	if c.GID != nil {
		primary = strconv.FormatUint(uint64(*c.GID), 10)
	}
	if primary != "" {
		described.Groups = append([]string{primary}, c.Groups...)
	}
	return described
}

func (r request) check(path string, source *strictyaml.Document) {
	if r.Raw != nil && (r.Grant != "" || r.Audience != "" || r.Claims != nil || r.Lifetime != 0) {
		source.Fault(path+".raw", "a raw signature has no grant, audience, claims or lifetime in its request; remove them, or remove raw")
	}
}

// registered are the claims that the daemon alone sets (RFC 7519 section 4.1).
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti"}

func (e expect) check(path string, raw bool, source *strictyaml.Document) {
	if (e.Allow == nil) == (e.Refuse == "") {
		source.Fault(path, "a case expects one thing: write allow: {…}, or refuse: and a code")
		return
	}
	if e.Allow == nil {
		return
	}
	for _, name := range registered {
		if _, given := e.Allow.Claims[name]; given {
			source.Fault(path+".allow.claims."+name, "%s is not listed among the claims; write issuer, subject, audience or lifetime beside claims", name)
		}
	}
	e.Allow.checkKind(path+".allow", raw, source)
}

// checkKind refuses expectations that nothing of this kind could meet.
func (a *allow) checkKind(path string, raw bool, source *strictyaml.Document) {
	forms := []struct {
		name  string
		given bool
		raw   bool
	}{
		{"profile", a.Profile != "", false}, {"issuer", a.Issuer != "", false}, {"subject", a.Subject != "", false},
		{"audience", a.Audience != "", false}, {"lifetime", a.Lifetime != 0, false}, {"claims", a.Claims != nil, false},
		{"hash", a.Hash != "", true}, {"padding", a.Padding != "", true},
	}
	var wrong []string
	for _, form := range forms {
		if form.given && form.raw != raw {
			wrong = append(wrong, form.name)
		}
	}
	kind := "an assertion"
	if raw {
		kind = "a raw signature"
	}
	if len(wrong) > 0 {
		source.Fault(path+"."+wrong[0], "%s has no %s; remove it", kind, strings.Join(wrong, ", "))
	}
}
