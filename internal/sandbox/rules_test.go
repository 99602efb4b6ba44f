package sandbox

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/assertd/assertd/internal/config"
)

const settings = `
hsm:
  module: /opt/vendor/lib/module.so
  token: {label: prod}
  pin: {file: /srv/secrets/pin}
  environment: {SOFTHSM2_CONF: %CONF%}
keys: {payments: {alg: ES256, use: assertion, certificate: /srv/certificates/payments.pem}}
clients:
  - name: payments-api
    match: {%MATCH%}
    grants: [{name: a, key: payments, profile: private_key_jwt, client_id: c, audiences: [https://as.example]}]
listen: [{socket: /run/assertd/assertd.sock}]
jwks: {file: /srv/jwks/jwks.json}
audit:
  file: /var/log/assertd/audit.jsonl
  ship:
    - {syslog: {socket: /dev/log}}
    - {syslog: {address: "logs.example:6514", ca: /srv/logs/ca.pem}}
    - {otlp: {endpoint: "https://collector.example/v1/logs", cert: /srv/collector/cert.pem, key: /srv/collector/key.pem}}
operator: {socket: /assertd-operator.sock}
sandbox: {read: [/srv/vendor], write: [/srv/vendor/state]}
`

func parse(t *testing.T, match string) (c *config.Config, dir string) {
	dir = t.TempDir()
	conf := filepath.Join(dir, "softhsm2.conf")
	if err := os.WriteFile(conf, []byte("# tokens\ndirectories.tokendir = /srv/tokens\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := []byte(settings)
	for from, to := range map[string]string{"%CONF%": conf, "%MATCH%": match} {
		text = replace(text, from, to)
	}
	c, err := config.Parse("assertd.yaml", text)
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

func TestFrontAccess(t *testing.T) {
	c, dir := parse(t, "uid: 1000")
	front := Front("/srv/assertd/assertd.yaml", c)
	for _, path := range []string{
		"/srv/assertd", "/srv/certificates", "/srv/secrets", "/opt/vendor/lib", "/srv/vendor", "/srv/logs", "/srv/collector", dir,
	} {
		if !within(path, front.Read) {
			t.Errorf("%s can't be read", path)
		}
	}
	for _, path := range []string{
		"/run/assertd", "/srv/jwks", "/var/log/assertd", "/srv/tokens", "/srv/vendor/state", "/assertd-operator.sock",
	} {
		if !within(path, front.Write) {
			t.Errorf("%s can't be written", path)
		}
	}
	for _, path := range []string{"/", "/srv", "/root", "/home", "/var/lib", "/tmp"} {
		if within(path, front.Read) || within(path, front.Write) {
			t.Errorf("%s is accessible", path)
		}
	}
}

func TestWorkerCantWriteTheFrontsFiles(t *testing.T) {
	c, _ := parse(t, "uid: 1000")
	worker := Worker(c)
	for _, path := range []string{"/run/assertd", "/srv/jwks", "/var/log/assertd", "/srv/secrets"} {
		if within(path, worker.Write) {
			t.Errorf("%s can be written", path)
		}
	}
	if front := Front("/etc/assertd.yaml", c); front.Covers(worker) != nil {
		t.Errorf("a worker needs access that the front doesn't have: %v", front.Covers(worker))
	}
}

func TestMatchesExecutables(t *testing.T) {
	for match, want := range map[string]bool{
		"uid: 1000": false, "unit: a.service": false, "executable: /usr/bin/a": true,
		`executable_sha256: "` + zeros + `"`: true,
	} {
		if c, _ := parse(t, match); MatchesExecutables(c) != want {
			t.Errorf("match {%s}: matches executables = %v, want %v", match, !want, want)
		}
	}
}

func TestCovers(t *testing.T) {
	rules := Rules{Read: []string{"/etc"}, Write: []string{"/srv/a"}}
	for _, tt := range []struct {
		other  Rules
		inside bool
	}{
		{Rules{}, true},
		{Rules{Read: []string{"/etc", "/etc/x/y", "/srv/a/b"}}, true},
		{Rules{Write: []string{"/srv/a/b"}}, true},
		{Rules{Read: []string{"/etcetera"}}, false},
		{Rules{Write: []string{"/etc/x"}}, false},
		{Rules{Read: []string{"/srv"}}, false},
	} {
		if err := rules.Covers(tt.other); (err == nil) != tt.inside || err != nil && !errors.Is(err, ErrOutside) {
			t.Errorf("%+v: %v, want inside: %v", tt.other, err, tt.inside)
		}
	}
}

func TestTidyDropsNestedPaths(t *testing.T) {
	got := Rules{Read: []string{"/b/c", "/a", "/b", "/a", "", "/bc"}}.tidy().Read
	if want := []string{"/a", "/b", "/bc"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSymlinkTargetsAreAdded(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "archive", "cert.pem")
	link := filepath.Join(dir, "live", "cert.pem")
	for _, path := range []string{target, link} {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	want := []string{filepath.Dir(link), filepath.Dir(target)}
	if got := addDirectories(nil, link); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
