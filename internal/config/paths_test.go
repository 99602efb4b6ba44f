package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/internal/trustpath"
)

const small = "hsm: {module: /m, token: {label: t}, pin: {file: /p}}\naudit: {required: false}\n"

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "assertd.yaml")
	if _, err := Load(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); !errors.Is(err, trustpath.ErrUntrusted) || !strings.Contains(err.Error(), "chmod go-w "+dir) {
		t.Errorf("a directory that others can write: %v", err)
	}
	if err := errors.Join(os.Chmod(dir, 0o755), os.Truncate(path, MaxSize+1)); err != nil {
		t.Fatal(err)
	}
	var invalid *strictyaml.Error
	if _, err := Load(path); !errors.As(err, &invalid) || !strings.Contains(err.Error(), "4194304 bytes") {
		t.Errorf("too large: %v", err)
	}
}

// TestFilesAndDirectoriesAllPaths compares AllPaths with the settings that are
// paths, so that no new one is forgotten.
func TestFilesAndDirectoriesAllPaths(t *testing.T) {
	other := []string{ // what the daemon neither trusts nor writes
		"audit.ship[].syslog.socket", "clients[].match.executable", "clients[].match.listener", "paths.accept", "sandbox.read", "sandbox.write",
	}
	certificates := `ca: /ca, cert: /c, key: /k`
	c, err := Parse("test", []byte(`
hsm: {module: /m, tokens: [{name: a, label: a}, {name: b, label: b, module: /b, pin: {file: /b}}], pin: {file: /p}}
keys: {k: {alg: ES256, use: assertion, certificate: /x}, ed: {alg: EdDSA, use: raw}, sa: {alg: ES256, use: kubernetes}}
listen: [{socket: /run/s}, {socket: /run/k, kubernetes: {key: sa, issuer: "https://x.example/k", also_publish: [{file: /sa.pub, until: "2027-01-31T12:00:00Z"}]}}]
clients: [{name: c, match: {uid: 0}, grants: [{name: g, key: sa, kubernetes: {service_accounts: ["*"], audiences: ["*"]}}]}]
operator: {socket: /run/o}
budgets: {file: /budgets, shared: {addresses: ["x.example:1"], tls: {`+certificates+`}, fleet_key: {file: /f}, password: {file: /w}, sentinel: {master: m, password: {file: /s}}}}
jwks: {file: /jwks, listen: ":1", tls: {cert: /c, key: /k}}
audit:
  file: /log/a
  anchor: /anchor/a
  checkpoint_key: ed
  ship: [{otlp: {endpoint: "https://x.example/v1/logs", `+certificates+`}}, {syslog: {address: "x.example:1", `+certificates+`}}]
`))
	if err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`\[\d+\]`)
	var got []string
	for _, p := range c.AllPaths() {
		got = append(got, strings.ReplaceAll(number.ReplaceAllString(p.Setting, "[]"), "keys.k.", "keys.*."))
	}
	for _, setting := range pathSettings(reflect.TypeFor[Config](), "") {
		if !slices.Contains(got, setting) && !slices.Contains(other, setting) {
			t.Errorf("nobody checks %s", setting)
		}
	}
}

// pathSettings names the settings whose format is a path.
func pathSettings(t reflect.Type, prefix string) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" {
			continue
		}
		name = prefix + name
		of := f.Type
		switch of.Kind() {
		case reflect.Pointer:
			of = of.Elem()
		case reflect.Slice:
			of = of.Elem()
			if of.Kind() == reflect.Struct {
				name += "[]"
			}
		case reflect.Map:
			of = of.Elem()
			name += ".*"
		}
		if f.Tag.Get("format") == "path" {
			names = append(names, name)
		} else if of.Kind() == reflect.Struct {
			names = append(names, pathSettings(of, name+".")...)
		}
	}
	return names
}

func TestCheckPaths(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "budgets")
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Chmod(file, 0o666), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	text := small + "budgets: {file: " + file + "}\njwks: {file: " + file + ".not-there}\n"
	c, err := Parse("test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	err = c.CheckPaths()
	if !errors.Is(err, trustpath.ErrUntrusted) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"budgets.file: " + dir + " has mode 0777", "budgets.file: " + file + " has mode 0666", "jwks.file: " + dir + " has mode 0777", "paths.accept"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %q", err, want)
		}
	}
	if c, err = Parse("test", []byte(text+"paths: {accept: ["+dir+", "+file+"]}\n")); err != nil {
		t.Fatal(err)
	}
	if err := c.CheckPaths(); err != nil {
		t.Errorf("accepted: %v", err)
	}
	for _, v := range c.Judge(c.DaemonPaths()) {
		if len(v.Accepted) == 0 {
			t.Errorf("%s: nothing was accepted", v.Setting)
		}
	}
}

// TestPathsBeforeTheWorkersUser is about files that a worker uses while it is
// still root: sandbox.user, and so the module, must not own them.
func TestPathsBeforeTheWorkersUser(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make another user's file
	}
	const workers = 65534
	file := filepath.Join(t.TempDir(), "file")
	if err := errors.Join(os.WriteFile(file, nil, 0o700), os.Chown(file, workers, workers)); err != nil {
		t.Fatal(err)
	}
	c, err := Parse("test", []byte("sandbox: {user: \"65534\"}\n"+small))
	if err != nil {
		t.Fatal(err)
	}
	for setting, own := range map[string]bool{
		"hsm.module": true, "hsm.environment.CONF": true,
		"hsm.pin.command": false, "hsm.pin.file": false, "hsm.tokens[0].pin.command": false, "hsm.environment.LD_PRELOAD": false,
	} {
		err := c.Judge([]TrustedPath{{setting, file, trustpath.File}})[0].Err
		if own != (err == nil) || err != nil && !errors.Is(err, trustpath.ErrUntrusted) {
			t.Errorf("%s: %v", setting, err)
		}
	}
}
