package policytest

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/policy"
)

const clusterExample = "../../examples/policy/cluster-cases.yaml"

func TestClusterExampleHolds(t *testing.T) {
	suite, err := Load(clusterExample)
	if err != nil {
		t.Fatal(err)
	}
	results := suite.Run()
	for _, r := range results {
		if len(r.Diff) > 0 || r.Explanation == nil {
			t.Errorf("%s:%d: %s\n%s", clusterExample, r.Line, r.Name, strings.Join(r.Diff, "\n"))
		}
	}
	if len(results) < 7 {
		t.Errorf("%d cases", len(results))
	}
}

// TestKubernetes asks for tokens as kube-apiserver does.
func TestKubernetes(t *testing.T) {
	s, err := OpenSimulator("../../examples/policy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	caller, err := s.KubernetesCaller(Process{User: "root", Unit: "kubelet.service"})
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := s.KubernetesCaller(Process{User: "root", Unit: "ssh.service"})
	if err != nil {
		t.Fatal(err)
	}
	hours := func(n time.Duration) config.Duration { return config.Duration(n * time.Hour) }
	for name, test := range map[string]struct {
		req  KubernetesRequest
		want string
	}{
		"allowed":                {KubernetesRequest{ServiceAccount: "a/b"}, ""},
		"for a day":              {KubernetesRequest{ServiceAccount: "a/b", Lifetime: hours(24)}, ""},
		"for longer":             {KubernetesRequest{ServiceAccount: "a/b", Lifetime: hours(24) + config.Duration(time.Second)}, "lifetime-not-allowed"},
		"expired at once":        {KubernetesRequest{ServiceAccount: "a/b", Lifetime: -hours(1)}, "lifetime-not-allowed"},
		"a reserved audience":    {KubernetesRequest{ServiceAccount: "a/b", Audiences: []string{"sts.amazonaws.com"}}, "audience-not-allowed"},
		"no audience":            {KubernetesRequest{ServiceAccount: "a/b", Audiences: []string{}}, "malformed-request"},
		"an empty audience":      {KubernetesRequest{ServiceAccount: "a/b", Audiences: []string{""}}, "malformed-request"},
		"many audiences":         {KubernetesRequest{ServiceAccount: "a/b", Audiences: slices.Repeat([]string{"x"}, 33)}, "request-too-large"},
		"long audiences":         {KubernetesRequest{ServiceAccount: "a/b", Audiences: slices.Repeat([]string{strings.Repeat("x", 500)}, 20)}, "request-too-large"},
		"an account in capitals": {KubernetesRequest{ServiceAccount: "a/B"}, "malformed-request"},
	} {
		got, err := s.Kubernetes(caller, test.req)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		refused := ""
		if got.Refusal != nil {
			refused = string(got.Refusal.Code)
		}
		if refused != test.want || got.Grant.Valid() != (test.want == "") || (got.Token.Claims != nil) != (test.want == "") {
			t.Errorf("%s: got %q, %+v", name, refused, got.Token)
		}
		held := !slices.ContainsFunc(got.Syntax, func(c policy.Check) bool { return !c.Held })
		if limits := test.want != "" && test.want != "audience-not-allowed"; held == limits {
			t.Errorf("%s: the checks of the request are %+v", name, got.Syntax)
		}
		if got, err := s.Kubernetes(stranger, test.req); err != nil || got.Refusal == nil || got.Refusal.Code != policy.UnknownCaller {
			t.Errorf("%s, from another process: got %+v, %v", name, got.Refusal, err)
		}
	}
	for _, req := range []KubernetesRequest{{ServiceAccount: "a"}, {ServiceAccount: "a/"}, {ServiceAccount: "a/b/c"}, {ServiceAccount: "a/b", Lifetime: 1}} {
		if _, err := s.Kubernetes(caller, req); !errors.Is(err, ErrKubernetesRequest) {
			t.Errorf("%+v: %v", req, err)
		}
	}
}

// TestListeners checks which socket a process uses if it isn't said.
func TestListeners(t *testing.T) {
	text, err := os.ReadFile("../../examples/policy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const signer = "/run/assertd/kubernetes/signer.sock"
	both := strings.Replace(string(text), "listen:\n", "listen:\n  - {socket: /run/assertd/assertd.sock}\n", 1)
	s, err := newSimulator("assertd.yaml", []byte(both))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := s.Caller(Process{User: "root"}); err != nil || c.Listener != "/run/assertd/assertd.sock" {
		t.Errorf("assertion: %q, %v", c.Listener, err)
	}
	if c, err := s.KubernetesCaller(Process{User: "root"}); err != nil || c.Listener != signer {
		t.Errorf("token: %q, %v", c.Listener, err)
	}
	if _, err := s.Caller(Process{User: "root", Listener: signer}); !errors.Is(err, ErrProcess) {
		t.Errorf("an assertion from kube-apiserver's socket: %v", err)
	}
	if _, err := s.KubernetesCaller(Process{User: "root", Listener: "/run/assertd/assertd.sock"}); !errors.Is(err, ErrProcess) {
		t.Errorf("a token from another socket: %v", err)
	}
}

// TestKubernetesMistakes checks what a file of cases can't say.
func TestKubernetesMistakes(t *testing.T) {
	settings, err := os.ReadFile("../../examples/policy/cluster.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const pod = "{kubernetes: {service_account: a/b}}"
	for name, test := range map[string]struct{ request, expect, want string }{
		"raw too":          {"{raw: {key: cluster, hash: SHA-256}, kubernetes: {service_account: a/b}}", "{allow: {}}", "raw and kubernetes are both set"},
		"a grant":          {"{grant: pods, kubernetes: {service_account: a/b}}", "{allow: {}}", "kube-apiserver names no grant"},
		"a lifetime":       {"{lifetime: 1h, kubernetes: {service_account: a/b}}", "{allow: {}}", "move them there"},
		"no account":       {"{kubernetes: {audiences: [x]}}", "{allow: {}}", "service_account is missing"},
		"half an account":  {"{kubernetes: {service_account: b}}", "{allow: {}}", "write namespace/name"},
		"a profile":        {pod, "{allow: {profile: okta}}", "a service account's token has no profile"},
		"hash and padding": {pod, "{allow: {hash: SHA-256, padding: pss}}", "a service account's token has no hash, padding"},
		"an assertion":     {"{grant: pods}", "{refuse: unknown-caller}", "0 listeners that aren't bound to a client"},
	} {
		dir := t.TempDir()
		cases := "config: assertd.yaml\ncases:\n  - name: it\n    caller: {user: root}\n    request: " + test.request + "\n    expect: " + test.expect + "\n"
		for name, content := range map[string]string{"assertd.yaml": string(settings), "cases.yaml": cases} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := Load(filepath.Join(dir, "cases.yaml"))
		var invalid *strictyaml.Error
		if !errors.As(err, &invalid) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v\nwant %s", name, err, test.want)
		}
	}
}
