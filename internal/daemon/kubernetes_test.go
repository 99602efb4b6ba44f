package daemon

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	externaljwt "k8s.io/externaljwt/apis/v1"

	"github.com/assertd/assertd/hsm"
	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/keyset"
	"github.com/assertd/assertd/internal/logging/logtest"
	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
	"github.com/assertd/assertd/signer"
	"github.com/assertd/assertd/test/softhsm"
)

const clusterIssuer = "https://id.example.com/clusters/prod"

// cluster is a daemon that signs for a kube-apiserver, and the client that
// kube-apiserver has.
type cluster struct {
	*running
	externaljwt.ExternalJWTSignerClient
	token  *softhsm.Token
	static *ecdsa.PublicKey // of also_publish
}

// clusterGrant is the grant of most tests.
const clusterGrant = `{name: pods, key: cluster, kubernetes: {service_accounts: ["payments/*", kube-system/coredns], audiences: ["*"], reserved: {sts.amazonaws.com: [payments/api]}}}`

// serveCluster runs a daemon whose client matches the selectors.
func serveCluster(t *testing.T, match string) *cluster {
	t.Helper()
	c := &cluster{running: &running{t: t, Journal: &logtest.Journal{}, dir: peertest.Dir(t)}, token: softhsm.New(t)}
	c.path = filepath.Join(c.dir, "assertd.yaml")
	c.generate("cluster", time.Now().Add(-time.Hour))
	c.generate("one", time.Now().Add(-time.Hour))
	c.writeStatic()
	c.head = "hsm: {module: " + c.token.Module + ", token: {label: " + c.token.Label + "}, pin: {file: " + c.token.PINFile() + "}, " +
		"environment: {SOFTHSM2_CONF: " + c.token.ConfFile + "}, workers: 1}\n" +
		"keys:\n  cluster: {alg: ES256, use: kubernetes}\n  one: {alg: ES256, use: assertion}\n" +
		"audit: {file: DIR/audit.jsonl}\njwks: {listen: '127.0.0.1:0'}\n" +
		"listen:\n  - {socket: DIR/assertd.sock}\n" +
		"  - {socket: DIR/kubernetes.sock, kubernetes: {key: cluster, issuer: '" + clusterIssuer + "', max_expiration: 1h, refresh: 2m," +
		" also_publish: [{file: DIR/sa.pub, until: '2099-01-31T12:00:00Z'}]}}\n"
	c.write(fmt.Sprintf("clients:\n  - {name: apiserver, match: %s, grants: [%s]}\n", match, clusterGrant))
	c.run(func() (*config.Config, error) { return config.Load(c.path) })
	c.ExternalJWTSignerClient = c.dial()
	return c
}

// dial connects as kube-apiserver does.
func (c *cluster) dial() externaljwt.ExternalJWTSignerClient {
	connection, err := grpc.NewClient("passthrough:///kubernetes", grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority("localhost"),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(c.dir, "kubernetes.sock"))
		}))
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { connection.Close() })
	return externaljwt.NewExternalJWTSignerClient(connection)
}

// generate makes a version of a key set on the token.
func (c *cluster) generate(set string, created time.Time) {
	c.t.Helper()
	pin, err := hsm.PINSource{File: c.token.PINFile()}.Read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	defer pin.Zero()
	token, err := hsm.Open(hsm.Config{Module: c.token.Module, Label: c.token.Label}, pin)
	if err != nil {
		c.t.Fatal(err)
	}
	defer token.Close()
	if _, err := token.Generate(hsm.Spec{Label: keyset.Label(set, created), Type: hsm.P256}); err != nil {
		c.t.Fatal(err)
	}
}

// writeStatic writes the public key that the cluster used before.
func (c *cluster) writeStatic() {
	c.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		c.t.Fatal(err)
	}
	c.static = &key.PublicKey
	der, err := x509.MarshalPKIXPublicKey(c.static)
	if err != nil {
		c.t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	if err := os.WriteFile(filepath.Join(c.dir, "sa.pub"), text, 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// podToken are the claims of a token as kube-apiserver writes them.
type podToken struct {
	issuer, namespace, account string
	audiences                  []string
	lifetime                   time.Duration
}

func apiToken() podToken {
	return podToken{clusterIssuer, "payments", "api", []string{"https://kubernetes.default.svc"}, time.Hour}
}

func (p podToken) json() string {
	now := time.Now().Unix()
	audiences, _ := json.Marshal(p.audiences)
	return fmt.Sprintf(`{"aud":%s,"exp":%d,"iat":%d,"iss":%q,"jti":"0c5b7e3c-7d0e-4a51-9d34-8c7a5e5b4b0a","kubernetes.io":{"namespace":%q,`+
		`"node":{"name":"node-1","uid":"5d0d"},"pod":{"name":"api-0","uid":"f2c3"},"serviceaccount":{"name":%q,"uid":"9a11"}},"nbf":%d,"sub":"system:serviceaccount:%s:%s"}`,
		audiences, now+int64(p.lifetime/time.Second), now, p.issuer, p.namespace, p.account, now, p.namespace, p.account)
}

func (p podToken) encoded() string { return base64.RawURLEncoding.EncodeToString([]byte(p.json())) }

// sign has claims signed, and returns the whole token.
func (c *cluster) sign(claims string) (string, error) {
	ctx, cancel := context.WithTimeout(c.t.Context(), 34*time.Second)
	defer cancel()
	answer, err := c.Sign(ctx, &externaljwt.SignJWTRequest{Claims: claims})
	if err != nil {
		return "", err
	}
	return answer.Header + "." + claims + "." + answer.Signature, nil
}

// fetch returns the keys by kid.
func (c *cluster) fetch() (*externaljwt.FetchKeysResponse, map[string]any) {
	c.t.Helper()
	answer, err := c.FetchKeys(c.t.Context(), &externaljwt.FetchKeysRequest{})
	if err != nil {
		c.t.Fatal(err)
	}
	keys := make(map[string]any)
	for _, key := range answer.Keys {
		public, err := x509.ParsePKIXPublicKey(key.Key)
		if err != nil || key.KeyId == "" || len(key.KeyId) > 1024 || key.ExcludeFromOidcDiscovery || keys[key.KeyId] != nil {
			c.t.Fatalf("kube-apiserver would refuse the key %q: %v", key.KeyId, err)
		}
		keys[key.KeyId] = public
	}
	return answer, keys
}

// verify checks a token as kube-apiserver does, and returns its kid.
func (c *cluster) verify(token string, keys map[string]any) string {
	c.t.Helper()
	head, _, _ := strings.Cut(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil {
		c.t.Fatal(err)
	}
	header := make(map[string]string)
	if err := json.Unmarshal(text, &header); err != nil || len(header) != 3 || header["typ"] != "JWT" || header["alg"] != "ES256" {
		c.t.Fatalf("kube-apiserver would refuse the header %s: %v", text, err)
	}
	parsed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := parsed.Verify(keys[header["kid"]]); err != nil {
		c.t.Fatalf("kid %s: %v", header["kid"], err)
	}
	return header["kid"]
}

// TestKubernetesContract goes through what kube-apiserver requires of a signer.
func TestKubernetesContract(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()))
	metadata, err := c.Metadata(t.Context(), &externaljwt.MetadataRequest{})
	if err != nil || metadata.MaxTokenExpirationSeconds != 3600 {
		t.Fatalf("metadata: %v, %v", metadata, err)
	}
	answer, keys := c.fetch()
	staticKid, err := keyset.KubernetesKid(c.static)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 || keys[staticKid] == nil || answer.RefreshHintSeconds != 120 || answer.DataTimestamp.CheckValid() != nil {
		t.Errorf("got %v", answer)
	}
	if again, _ := c.fetch(); !again.DataTimestamp.AsTime().Equal(answer.DataTimestamp.AsTime()) {
		t.Error("data_timestamp changed although the keys did not")
	}
	claims := apiToken().encoded()
	token, err := c.sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	kid := c.verify(token, keys)
	if kid == staticKid || strings.Split(token, ".")[1] != claims {
		t.Errorf("signed with %s", kid)
	}
	if want, err := keyset.KubernetesKid(keys[kid]); kid != want || err != nil {
		t.Errorf("the kid is %s; an API server that has the key in a file looks for %s (%v)", kid, want, err)
	}
	t.Run("40 at once", func(t *testing.T) { c.signMany(t, 40, keys) })
	t.Run("audit", func(t *testing.T) { c.checkRecord(t, token) })
	t.Run("status", func(t *testing.T) { c.checkStatus(t, staticKid) })
	t.Run("other sockets", func(t *testing.T) { c.checkOtherSockets(t) })
	t.Run("discovery", func(t *testing.T) { c.checkDiscovery(t, keys) })
	t.Run("next version", func(t *testing.T) { c.checkNextVersion(t, answer) })
}

func (c *cluster) signMany(t *testing.T, n int, keys map[string]any) {
	results := make(chan error, n)
	tokens := make(chan string, n)
	for range n {
		go func() {
			token, err := c.sign(apiToken().encoded())
			tokens <- token
			results <- err
		}()
	}
	for range n {
		if err := <-results; err != nil {
			t.Error(err)
			continue
		}
		c.verify(<-tokens, keys)
	}
}

// checkRecord looks for the decision in the log, and for the token, which must
// not be there.
func (c *cluster) checkRecord(t *testing.T, token string) {
	text, err := os.ReadFile(filepath.Join(c.dir, "audit.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"kind":"kubernetes"`, `"subject":"system:serviceaccount:payments:api"`, `"audiences":["https://kubernetes.default.svc"]`, `"client":"apiserver"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	for _, part := range strings.Split(token, ".") {
		if strings.Contains(string(text), part) {
			t.Error("the log has a part of the token")
		}
	}
}

func (c *cluster) checkStatus(t *testing.T, staticKid string) {
	s, err := operator{c.Daemon}.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := s.Listeners[1].Kubernetes
	if k == nil || k.Issuer != clusterIssuer || k.Error != "" || len(k.Keys) != 2 {
		t.Fatalf("got %+v", k)
	}
	for _, key := range k.Keys {
		if (key.Kid == staticKid) == key.Until.IsZero() {
			t.Errorf("key %s ends at %s", key.Kid, key.Until)
		}
	}
	if grant := s.Clients[0].Grants[0]; grant.Use != ipc.UseKubernetes || grant.Released != 41 {
		t.Errorf("got %+v, want 41 tokens", grant)
	}
}

// checkOtherSockets asks the callers' socket for what only kube-apiserver gets.
func (c *cluster) checkOtherSockets(t *testing.T) {
	dial := dialer(filepath.Join(c.dir, "assertd.sock"))
	digest := base64.StdEncoding.EncodeToString(make([]byte, 32))
	for path, body := range map[string]string{
		"/v1/assertions": `{"grant":"pods"}`, "/v1/sign": `{"key":"cluster","hash":"SHA-256","digest":"` + digest + `"}`,
	} {
		answer, err := ask(dial, path, body)
		if err != nil {
			t.Fatal(err)
		}
		if code := answer.code(t); code != ipc.CodeGrantNotFound && code != ipc.CodeKeyNotAllowed {
			t.Errorf("%s: got %q: %s", path, code, answer.Body)
		}
	}
	if answer, err := ask(dialer(filepath.Join(c.dir, "kubernetes.sock")), "/v1/assertions", "{}"); err == nil {
		t.Errorf("the socket of kube-apiserver speaks HTTP/1.1: %s", answer.Body)
	}
}

// checkDiscovery compares what the issuer publishes with what kube-apiserver
// gets: no key of assertions verifies tokens, nor the other way round.
func (c *cluster) checkDiscovery(t *testing.T, keys map[string]any) {
	content, err := c.published()
	if err != nil {
		t.Fatal(err)
	}
	issued := content.Issuers[clusterIssuer]
	for _, key := range issued.Keys() {
		if keys[key.Kid] == nil {
			t.Errorf("the issuer's JWKS has the key %s", key.Kid)
		}
	}
	if issued.Len() != len(keys) || content.Set.Len() != 1 {
		t.Errorf("the issuer has %d keys, want %d; assertions have %d", issued.Len(), len(keys), content.Set.Len())
	}
}

// checkNextVersion makes the next version. It is published at once, and doesn't
// sign yet.
func (c *cluster) checkNextVersion(t *testing.T, before *externaljwt.FetchKeysResponse) {
	c.generate("cluster", time.Now())
	if err := c.Reload(); err != nil {
		t.Fatal(err)
	}
	after, keys := c.fetch()
	if len(keys) != 3 || after.DataTimestamp.AsTime().Equal(before.DataTimestamp.AsTime()) {
		t.Fatalf("got %d keys of %s, before %s", len(keys), after.DataTimestamp, before.DataTimestamp)
	}
	token, err := c.sign(apiToken().encoded())
	if err != nil {
		t.Fatal(err)
	}
	kid := c.verify(token, keys)
	if !slices.ContainsFunc(before.Keys, func(k *externaljwt.Key) bool { return k.KeyId == kid }) {
		t.Error("the new version signs before kube-apiserver can have fetched it")
	}
}

// TestKubernetesRefuses sends claims that must not be signed.
func TestKubernetesRefuses(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()))
	with := func(change func(*podToken)) string {
		p := apiToken()
		change(&p)
		return p.encoded()
	}
	replaced := func(old, new string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(strings.Replace(apiToken().json(), old, new, 1)))
	}
	for name, test := range map[string]struct {
		claims string
		code   codes.Code
		record string // code in the audit log
	}{
		"another issuer":           {with(func(p *podToken) { p.issuer = "https://id.example.com" }), codes.PermissionDenied, "claim-not-allowed"},
		"a second too long":        {with(func(p *podToken) { p.lifetime += time.Second }), codes.PermissionDenied, "lifetime-not-allowed"},
		"another namespace":        {with(func(p *podToken) { p.namespace = "kube-public" }), codes.PermissionDenied, "claim-not-allowed"},
		"another account":          {with(func(p *podToken) { p.namespace = "kube-system" }), codes.PermissionDenied, "claim-not-allowed"},
		"a reserved audience":      {with(func(p *podToken) { p.account, p.audiences = "web", []string{"a", "sts.amazonaws.com"} }), codes.PermissionDenied, "audience-not-allowed"},
		"a repeated subject":       {replaced(`"sub"`, `"sub":"system:serviceaccount:payments:web","sub"`), codes.InvalidArgument, "malformed-request"},
		"a subject in two cases":   {replaced(`"sub"`, `"Sub":"system:serviceaccount:payments:web","sub"`), codes.InvalidArgument, "malformed-request"},
		"two accounts":             {replaced(`"name":"api","uid"`, `"name":"web","uid"`), codes.InvalidArgument, "malformed-request"},
		"a header of its own":      {base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + apiToken().encoded(), codes.InvalidArgument, "malformed-request"},
		"9 KiB of audiences":       {with(func(p *podToken) { p.audiences = []string{strings.Repeat("a", 9<<10)} }), codes.InvalidArgument, "request-too-large"},
		"3.9 MB of audiences":      {with(func(p *podToken) { p.audiences = slices.Repeat([]string{strings.Repeat("a", 256)}, 12000) }), codes.ResourceExhausted, ""},
		"nothing":                  {"", codes.InvalidArgument, "malformed-request"},
		"a token that has expired": {with(func(p *podToken) { p.lifetime = 0 }), codes.PermissionDenied, "lifetime-not-allowed"},
	} {
		_, err := c.sign(test.claims)
		if status.Code(err) != test.code {
			t.Errorf("%s: got %v, want %v", name, err, test.code)
		}
		for _, internal := range []string{"pods", "apiserver:", "SoftHSM", c.dir, c.token.Label, "pkcs11", "json"} {
			if strings.Contains(status.Convert(err).Message(), internal) {
				t.Errorf("%s: the text says %q: %v", name, internal, err)
			}
		}
		if test.record != "" && !c.recorded(test.record) {
			t.Errorf("%s: no record has the code %s", name, test.record)
		}
		if test.record != "" && c.refused(ipc.Code(test.record)) == 0 {
			t.Errorf("%s: status doesn't count the code %s", name, test.record)
		}
	}
	for _, allowed := range []podToken{
		apiToken(), {clusterIssuer, "kube-system", "coredns", []string{"vault"}, time.Minute},
		{clusterIssuer, "payments", "api", []string{"sts.amazonaws.com", "a"}, time.Hour},
	} {
		if _, err := c.sign(allowed.encoded()); err != nil {
			t.Errorf("%+v: %v", allowed, err)
		}
	}
}

// refused is how many refusals of the client with a code an operator sees.
func (c *cluster) refused(code ipc.Code) (n uint64) {
	s, err := operator{c.Daemon}.Status(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	for _, refusal := range s.Clients[0].Refusals {
		if refusal.Code == code {
			n += refusal.Count
		}
	}
	return n
}

// recorded reports whether the audit log has a refusal with a code.
func (c *cluster) recorded(code string) bool {
	text, err := os.ReadFile(filepath.Join(c.dir, "audit.jsonl"))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.Contains(string(text), `"outcome":"refused","code":"`+code+`"`)
}

// TestKubernetesCallers has a process ask that no client matches: it gets
// nothing, not even the public keys.
func TestKubernetesCallers(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()+1))
	_, err := c.sign(apiToken().encoded())
	_, fetched := c.FetchKeys(t.Context(), &externaljwt.FetchKeysRequest{})
	_, described := c.Metadata(t.Context(), &externaljwt.MetadataRequest{})
	for _, err := range []error{err, fetched, described} {
		if status.Code(err) != codes.PermissionDenied {
			t.Errorf("got %v", err)
		}
	}
	if !c.recorded("unknown-caller") {
		t.Error("the refusal is not on record")
	}
}

// TestKubernetesCallerByExecutable matches the process that asks by the program
// that it runs, as a client of the other sockets can be.
func TestKubernetesCallerByExecutable(t *testing.T) {
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if program, err = filepath.EvalSymlinks(program); err != nil {
		t.Fatal(err)
	}
	c := serveCluster(t, fmt.Sprintf("{uid: %d, executable: %s}", os.Getuid(), program))
	_, keys := c.fetch()
	token, err := c.sign(apiToken().encoded())
	if err != nil {
		t.Fatal(err)
	}
	c.verify(token, keys)
}

// TestKubernetesFrozen freezes the key set of a cluster and thaws it. Frozen,
// kube-apiserver still gets the keys, so that pods stay logged in.
func TestKubernetesFrozen(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()))
	target := ipc.FreezeTarget{Key: "cluster"}
	c.Daemon.signer.Freeze(signer.Frozen{target: true})
	if _, err := c.sign(apiToken().encoded()); status.Code(err) != codes.PermissionDenied {
		t.Errorf("got %v", err)
	}
	if !c.recorded("frozen") {
		t.Error("the refusal is not on record")
	}
	_, keys := c.fetch()
	c.Daemon.signer.Freeze(nil)
	c.verify(c.signUntil(codes.OK), keys)
}

// TestKubernetesWithoutHSM takes the token away and puts it back.
// kube-apiserver still gets keys, so that pods stay logged in, and tokens again
// when the token is back, on the same connection.
func TestKubernetesWithoutHSM(t *testing.T) {
	c := serveCluster(t, fmt.Sprintf("{uid: %d}", os.Getuid()))
	c.token.Lose()
	c.signUntil(codes.Unavailable)
	_, keys := c.fetch()
	c.token.Restore()
	c.verify(c.signUntil(codes.OK), keys)
}

// signUntil asks for tokens until one is answered with a code.
func (c *cluster) signUntil(want codes.Code) string {
	c.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(10 * time.Millisecond) {
		token, err := c.sign(apiToken().encoded())
		got := status.Code(err)
		switch {
		case got == want:
			return token
		case got != codes.OK && got != codes.Unavailable || time.Now().After(deadline):
			c.t.Fatalf("got %v, want %v", err, want)
		}
	}
}
