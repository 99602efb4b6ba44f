package apiserver

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/assertd/assertd/test/softhsm"
)

const (
	issuer  = "https://id.example.com/clusters/prod"
	maximum = 2 * time.Hour // lifetime of a token
	refresh = 10 * time.Second
	// publishBefore is the shortest that assertd accepts with a JWKS that can be
	// cached for a minute.
	publishBefore = 2 * time.Minute
)

// site is a cluster's control plane without its controllers: etcd,
// kube-apiserver and assertd on loopback.
type site struct {
	*cluster
	t *testing.T // in which servers run; a case is shorter
	servers
	dir      string
	programs string // directory of assertd and assertctl
	token    *softhsm.Token

	ports             struct{ etcd, api, jwks int }
	daemon, apiserver *process
	former            token  // of the version before the rotation
	revoked           string // kid
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, servers: needServers(t), programs: t.TempDir(), token: softhsm.New(t)}
	_, err := run("go", "-C", "../..", "build", "-o", s.programs, "./cmd/assertd", "./cmd/assertctl")
	check(t, err)
	s.dir, err = os.MkdirTemp("", "assertd") // the path of a socket must be short
	check(t, err)
	t.Cleanup(func() { os.RemoveAll(s.dir) })
	s.ports.etcd, s.ports.api, s.ports.jwks = freePort(t), freePort(t), freePort(t)
	s.writeKeyFile(t)
	s.cluster = newCluster(t, s.dir, s.ports.api)
	s.configure(t)
	_, err = s.assertd("key", "generate", "--config", s.config(), "cluster")
	check(t, err)
	s.startEtcd(t)
	return s
}

// freePort returns a port that nothing listens on.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func (s *site) in(name string) string { return filepath.Join(s.dir, name) }
func (s *site) config() string        { return s.in("assertd.yaml") }
func (s *site) socket() string        { return s.in("signer.sock") }
func (s *site) assertd(args ...string) (string, error) {
	return run(filepath.Join(s.programs, "assertd"), args...)
}
func (s *site) assertctl(args ...string) (string, error) {
	return run(filepath.Join(s.programs, "assertctl"), args...)
}

// status returns what assertctl status prints.
func (s *site) status(t *testing.T) string {
	t.Helper()
	out, err := s.assertctl("status", "--operator", s.in("operator.sock"))
	check(t, err)
	return out
}

// writeKeyFile makes the key that the cluster used before, as kubeadm does.
func (s *site) writeKeyFile(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	check(t, err)
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	check(t, err)
	for name, block := range map[string]*pem.Block{
		"sa.key": {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}, "sa.pub": {Type: "PUBLIC KEY", Bytes: public},
	} {
		check(t, os.WriteFile(s.in(name), pem.EncodeToMemory(block), 0o600))
	}
}

// configure writes assertd's configuration.
func (s *site) configure(t *testing.T) {
	t.Helper()
	text := fmt.Sprintf(`hsm: {module: %s, token: {label: %s}, pin: {file: %s}, environment: {SOFTHSM2_CONF: %s}, workers: 2}
keys:
  cluster: {alg: ES256, use: kubernetes, rotation: {every: 90d, publish_before: %s, revoke: [%s]}}
audit: {file: %s}
jwks: {listen: '127.0.0.1:%d', max_age: 1m}
operator: {socket: %s}
listen:
  - socket: %s
    kubernetes:
      key: cluster
      issuer: %s
      max_expiration: %s
      refresh: %s
      also_publish: [{file: %s, until: '2099-01-31T12:00:00Z'}]
clients:
  - name: kube-apiserver
    match: {uid: %d}
    grants:
      - name: pods
        key: cluster
        kubernetes: {service_accounts: ["*"], audiences: ["*"], reserved: {sts.amazonaws.com: [payments/api]}}
`, s.token.Module, s.token.Label, s.pinFile(t), s.token.ConfFile, publishBefore, s.revoked, s.in("audit.jsonl"), s.ports.jwks, s.in("operator.sock"),
		s.socket(), issuer, maximum, refresh, s.in("sa.pub"), os.Getuid())
	check(t, os.WriteFile(s.config(), []byte(text), 0o600))
}

func (s *site) pinFile(t *testing.T) string {
	t.Helper()
	path := s.in("pin")
	check(t, os.WriteFile(path, []byte(s.token.PIN+"\n"), 0o600))
	return path
}

// startDaemon starts assertd, and waits until its socket is there.
func (s *site) startDaemon(t *testing.T) {
	t.Helper()
	s.daemon = start(s.t, s.dir, "assertd", filepath.Join(s.programs, "assertd"), "serve", "--config", s.config())
	s.daemon.await(t, "assertd listens", func() bool {
		connection, err := net.Dial("unix", s.socket())
		if err == nil {
			connection.Close()
		}
		return err == nil
	})
}

// reload makes assertd read its configuration.
func (s *site) reload(t *testing.T) {
	t.Helper()
	check(t, s.daemon.cmd.Process.Signal(syscall.SIGHUP))
}

func (s *site) startEtcd(t *testing.T) {
	t.Helper()
	url, peers := fmt.Sprintf("http://127.0.0.1:%d", s.ports.etcd), fmt.Sprintf("http://127.0.0.1:%d", freePort(t))
	p := start(s.t, s.dir, "etcd", s.etcdServer(), "--data-dir", s.in("etcd"), "--unsafe-no-fsync",
		"--listen-client-urls", url, "--advertise-client-urls", url,
		"--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers, "--initial-cluster", "default="+peers)
	p.await(t, "etcd is healthy", func() bool {
		answer, err := http.Get(url + "/health")
		if err != nil {
			return false
		}
		answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
}

// keyFileFlags make kube-apiserver sign by itself.
func (s *site) keyFileFlags() []string {
	return []string{"--service-account-signing-key-file=" + s.in("sa.key"), "--service-account-key-file=" + s.in("sa.pub")}
}

// signerFlags make it ask assertd.
func (s *site) signerFlags() []string {
	return []string{"--service-account-signing-endpoint=" + s.socket()}
}

// launch starts kube-apiserver, which signs tokens as the flags say.
func (s *site) launch(t *testing.T, signing []string) {
	t.Helper()
	s.apiserver = start(s.t, s.dir, "kube-apiserver", s.servers.apiserver(), append(signing,
		fmt.Sprintf("--etcd-servers=http://127.0.0.1:%d", s.ports.etcd), fmt.Sprintf("--secure-port=%d", s.ports.api),
		"--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24",
		"--cert-dir="+s.in("certificates"), "--token-auth-file="+s.in("users.csv"), "--authorization-mode=RBAC",
		"--service-account-issuer="+issuer, "--service-account-jwks-uri="+issuer+"/.well-known/jwks.json",
	)...)
}

// startAPIServer starts kube-apiserver and waits until it is ready.
func (s *site) startAPIServer(t *testing.T, signing []string) {
	t.Helper()
	s.launch(t, signing)
	s.apiserver.await(t, "kube-apiserver is ready", func() bool { return s.ready(t.Context()) })
}
