package config

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/trustpath"
)

// Paths relaxes what the daemon requires of paths, for sites that can't comply.
type Paths struct {
	Accept []string `json:"accept,omitzero" format:"path" doc:"Files and directories whose owner and mode are accepted as they are. Without an entry, everything that the daemon trusts, and each directory on the way to it, must belong to root or the daemon's user, and nobody else can write to it. An entry is for one file or directory, not for what is in it; * stands for any name, as in /mnt/nfs/assertd/*. Anyone who can write to an accepted path can control the daemon."`
}

func (c *checker) paths() {
	for i, pattern := range c.Paths.Accept {
		if _, err := filepath.Match(pattern, ""); err != nil {
			c.fault(strictyaml.Item("paths.accept", i), "%s is not a pattern of names; put a backslash before *, ? and [ that stand for themselves", strictyaml.Quote(pattern))
		}
	}
}

// Trust returns the rules for every path that the configuration names, except
// those of tokens.
func (c *Config) Trust() trustpath.Rules {
	return trustpath.Rules{Accept: c.Paths.Accept, User: c.user}
}

// TokenTrust returns the rules for what only modules use. sandbox.user may own
// it: a module could change it for itself only. The rules don't apply to what a
// worker uses while it is still root, such as the source of the PIN.
func (c *Config) TokenTrust() trustpath.Rules {
	rules := c.Trust()
	if name := c.Sandbox.User; name != "" {
		uid, err := c.accounts.User(name)
		if err != nil {
			uid, err = parseID(name)
		}
		if err == nil {
			rules.Owners = []uint32{uid}
		}
	}
	return rules
}

// TrustedPath is a path that the configuration names.
type TrustedPath struct {
	Setting string // such as audit.file; those of tokens start with hsm
	Path    string
	Kind    trustpath.Kind
}

// ofModule reports whether a worker uses the path only as sandbox.user.
func (p TrustedPath) ofModule() bool {
	return strings.HasPrefix(p.Setting, "hsm.") && !strings.Contains(p.Setting, ".pin.") && !strings.HasPrefix(p.Setting, loaderSetting)
}

// loaderSetting is the beginning of the settings of the dynamic loader.
const loaderSetting = "hsm.environment.LD_"

// Verdict says what is wrong with a path, if anything.
type Verdict struct {
	TrustedPath
	Accepted []*trustpath.Problem // by paths.accept
	Err      error
}

// Judge checks paths. A path that doesn't exist has no problem here: what needs
// it reports that.
func (c *Config) Judge(paths []TrustedPath) []Verdict {
	verdicts, tokenTrust := make([]Verdict, 0, len(paths)), sync.OnceValue(c.TokenTrust)
	for _, p := range paths {
		v, rules := Verdict{TrustedPath: p}, c.Trust()
		if p.ofModule() {
			rules = tokenTrust()
		}
		v.Accepted, v.Err = rules.Check(p.Path, p.Kind)
		if errors.Is(v.Err, fs.ErrNotExist) && !errors.Is(v.Err, trustpath.ErrUntrusted) {
			v.Err = nil
		}
		v.Err = prefixed(p.Setting, v.Err)
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// prefixed puts the setting before each of its problems. Those of a path come
// joined.
func prefixed(setting string, err error) error {
	problems := []error{err}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		problems = slices.Clone(joined.Unwrap())
	}
	for i, problem := range problems {
		if problem != nil {
			problems[i] = fmt.Errorf("%s: %w", setting, problem)
		}
	}
	return errors.Join(problems...)
}

// CheckPaths returns every problem of the DaemonPaths.
func (c *Config) CheckPaths() error {
	var problems []error
	for _, v := range c.Judge(c.DaemonPaths()) {
		problems = append(problems, v.Err)
	}
	err := errors.Join(problems...)
	if errors.Is(err, trustpath.ErrUntrusted) {
		return fmt.Errorf("%w\n\"assertd check\" shows every path; list those that can't be fixed under paths.accept", err)
	}
	return err
}

// DaemonPaths are the paths without which the daemon can't serve anyone. The
// anchor is not one of them: its file system may not answer, so the audit log
// checks it with a time limit.
func (c *Config) DaemonPaths() []TrustedPath {
	paths := []TrustedPath{
		{"audit.file", c.Audit.File, trustpath.Written},
		{"budgets.file", c.Budgets.File, trustpath.Written},
		{"budgets.file", c.FreezesFile(), trustpath.Written},
		{"jwks.file", c.JWKS.File, trustpath.Written},
		{"operator.socket", directory(c.Operator.Socket), trustpath.Directory},
	}
	for i, l := range c.Listen {
		paths = append(paths, TrustedPath{strictyaml.Item("listen", i) + ".socket", directory(l.Socket), trustpath.Directory})
	}
	if tls := c.JWKS.TLS; tls != nil && c.JWKS.Listen != "" {
		paths = append(paths, TrustedPath{"jwks.tls.cert", tls.Cert, trustpath.File}, TrustedPath{"jwks.tls.key", tls.Key, trustpath.Secret})
	}
	return given(append(paths, c.Budgets.Shared.paths()...))
}

// AllPaths are the DaemonPaths, and those that matter to one token, key set or
// destination of the audit log.
func (c *Config) AllPaths() []TrustedPath {
	paths := append(c.DaemonPaths(), TrustedPath{"audit.anchor", c.Audit.Anchor, trustpath.Written})
	for i, token := range c.HSM.All() {
		paths = append(paths, c.tokenPaths(i, token)...)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Keys)) {
		paths = append(paths, TrustedPath{"keys." + name + ".certificate", c.Keys[name].Certificate, trustpath.File})
	}
	for i, l := range c.Listen {
		paths = append(paths, l.staticKeys(strictyaml.Item("listen", i))...)
	}
	for i, to := range c.Audit.Ship {
		paths = append(paths, to.paths(strictyaml.Item("audit.ship", i))...)
	}
	return given(paths)
}

// tokenPaths names the setting that each path of a token comes from.
func (c *Config) tokenPaths(i int, token NamedToken) []TrustedPath {
	module, pin := "hsm.module", "hsm.pin"
	if c.HSM.Token == nil {
		own, path := c.HSM.Tokens[i], strictyaml.Item("hsm.tokens", i)
		if own.Module != "" {
			module = path + ".module"
		}
		if own.PIN != nil {
			pin = path + ".pin"
		}
	}
	paths := []TrustedPath{{module, token.Module, trustpath.File}, {pin + ".file", token.PIN.File, trustpath.Secret}}
	for _, p := range trustpath.OfCommand(token.PIN.Command) {
		paths = append(paths, TrustedPath{pin + ".command", p.Path, p.Kind})
	}
	for _, p := range slices.Concat(trustpath.OfEnvironment(token.Environment), trustpath.OfLoader(token.Environment)) {
		paths = append(paths, TrustedPath{"hsm.environment." + p.Name, p.Path, p.Kind})
	}
	return paths
}

// staticKeys are the files of public keys that a socket publishes.
func (l *Listener) staticKeys(path string) (paths []TrustedPath) {
	if l.Kubernetes == nil {
		return nil
	}
	for i, static := range l.Kubernetes.AlsoPublish {
		paths = append(paths, TrustedPath{strictyaml.Item(path+".kubernetes.also_publish", i) + ".file", static.File, trustpath.File})
	}
	return paths
}

func (s Ship) paths(path string) []TrustedPath {
	if o := s.OTLP; o != nil {
		return certificatePaths(path+".otlp", o.CA, o.Cert, o.Key)
	}
	return certificatePaths(path+".syslog", s.Syslog.CA, s.Syslog.Cert, s.Syslog.Key)
}

// paths are those of a server that the daemon needs.
func (s *Shared) paths() []TrustedPath {
	if s == nil {
		return nil
	}
	paths := s.FleetKey.paths("budgets.shared.fleet_key")
	if s.Password != nil {
		paths = append(paths, s.Password.paths("budgets.shared.password")...)
	}
	if s.Sentinel != nil && s.Sentinel.Password != nil {
		paths = append(paths, s.Sentinel.Password.paths("budgets.shared.sentinel.password")...)
	}
	if t := s.TLS; t != nil {
		paths = append(paths, certificatePaths("budgets.shared.tls", t.CA, t.Cert, t.Key)...)
	}
	return paths
}

func (s Secret) paths(setting string) []TrustedPath {
	paths := []TrustedPath{{setting + ".file", s.File, trustpath.Secret}}
	for _, p := range trustpath.OfCommand(s.Command) {
		paths = append(paths, TrustedPath{setting + ".command", p.Path, p.Kind})
	}
	return paths
}

func certificatePaths(path, ca, cert, key string) []TrustedPath {
	return []TrustedPath{
		{path + ".ca", ca, trustpath.File}, {path + ".cert", cert, trustpath.File}, {path + ".key", key, trustpath.Secret},
	}
}

// FreezesFile is the path of the file that keeps what operators have frozen,
// beside the budgets; "" without budgets.file. Two daemons can keep their
// budgets in one directory, so it has the name of the budgets file in it.
func (c *Config) FreezesFile() string {
	if c.Budgets.File == "" {
		return ""
	}
	return filepath.Join(filepath.Dir(c.Budgets.File), "freezes-"+filepath.Base(c.Budgets.File))
}

// directory returns the directory of a socket, "" for none.
func directory(socket string) string {
	if socket == "" {
		return ""
	}
	return filepath.Dir(socket)
}

// given drops the paths that are not set, and those that are there already.
func given(paths []TrustedPath) []TrustedPath {
	seen := make(map[TrustedPath]bool)
	return slices.DeleteFunc(paths, func(p TrustedPath) bool {
		again := p.Path == "" || seen[p]
		seen[p] = true
		return again
	})
}
