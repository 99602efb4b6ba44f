package kubernetes

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	core "k8s.io/api/core/v1"

	"github.com/assertd/assertd/test/softhsm"
)

// TestProbesTellTheTokenFromTheDaemon runs what the DaemonSet runs, in a
// directory instead of a container: the init container's script, the daemon
// with the ConfigMap's policy and a SoftHSM token, and the commands of the
// probes. It says what a kubelet would do while all is well, while the token is
// away, and after the daemon died.
func TestProbesTellTheTokenFromTheDaemon(t *testing.T) {
	n := newNode(t)
	n.prepare()
	n.run("assertd", "key", "generate", "payments", "--config", n.config)

	daemon := n.serve()
	n.await("the daemon is ready", func() bool { return n.probe(n.pod.ReadinessProbe) })
	n.expect("with its token", probes{started: true, live: true, ready: true})
	answer := n.run("assertctl", "assert", "--socket", filepath.Join(n.root, "run/assertd/payments-api/assertd.sock"))
	if strings.Count(strings.TrimSpace(answer), ".") != 2 {
		t.Error("the workload's socket does not give an assertion")
	}
	stop(t, daemon)
	n.expect("without a daemon", probes{})

	n.token.Lose()
	daemon = n.serve()
	n.await("the daemon answers", func() bool { return n.probe(n.pod.StartupProbe) })
	n.expect("without its token", probes{started: true, live: true})
	n.token.Restore()
	n.await("the daemon has its token back", func() bool { return n.probe(n.pod.ReadinessProbe) })
	stop(t, daemon)
}

// probes are the outcomes of a pod's probes.
type probes struct{ started, live, ready bool }

// node stands for a node of the cluster and a pod on it: a directory with what
// the pod has in its root directory.
type node struct {
	t      *testing.T
	root   string
	config string
	script string // of the init container
	args   []string
	pod    core.Container
	token  *softhsm.Token
	path   *strings.Replacer // from a path in the pod to one in root
}

func newNode(t *testing.T) *node {
	t.Helper()
	objects := kustomized(t)
	n := &node{t: t, root: t.TempDir(), token: softhsm.New(t), pod: daemon(t, objects).Spec.Containers[0]}
	n.path = strings.NewReplacer("/run/assertd", n.root+"/run/assertd", "/var/lib/assertd", n.root+"/var/lib/assertd",
		"/var/log/assertd", n.root+"/var/log/assertd", "/pin/", n.root+"/pin/", "/secret/", n.root+"/secret/",
		" /module /pin", " "+n.root+"/module "+n.root+"/pin")
	init := daemon(t, objects).Spec.InitContainers
	user := fmt.Sprintf("-o %d -g %d", os.Getuid(), os.Getgid())
	owners := strings.NewReplacer("-o 10001 -g 10001", user, "-o root -g root", user)
	n.script = owners.Replace(n.path.Replace(script(t, daemon(t, objects).Spec)))
	n.args = init[len(init)-1].Args
	n.config = filepath.Join(n.root, "assertd.yaml")
	n.write("assertd.yaml", n.configuration(configurationText(t, objects)))
	n.write("secret/pin", n.token.PIN+"\n")
	for _, directory := range []string{"module", "pin", "run", "var/lib", "var/log"} {
		if err := os.MkdirAll(filepath.Join(n.root, directory), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", n.root+"/", "./cmd/assertd", "./cmd/assertctl")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	return n
}

// configuration returns the ConfigMap's configuration with the node's paths,
// SoftHSM for the vendor's module, this process's user for the workload's, and
// ports that the kernel chooses.
func (n *node) configuration(text string) string {
	for old, replacement := range map[string]string{
		"/module/libvendor-pkcs11.so": n.token.Module,
		"{label: prod}":               fmt.Sprintf("{label: %s}", n.token.Label),
		"{LD_LIBRARY_PATH: /module}":  fmt.Sprintf("{SOFTHSM2_CONF: %s}", n.token.ConfFile),
		"uid: 20001":                  fmt.Sprintf("uid: %d", os.Getuid()),
		`":8080"`:                     `"127.0.0.1:0"`,
		`":9464"`:                     `"127.0.0.1:0"`,
	} {
		if strings.Count(text, old) != 1 {
			n.t.Fatalf("the configuration has %q %d times, want once", old, strings.Count(text, old))
		}
		text = strings.Replace(text, old, replacement, 1)
	}
	return n.path.Replace(text)
}

func (n *node) write(name, text string) {
	n.t.Helper()
	path := filepath.Join(n.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		n.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		n.t.Fatal(err)
	}
}

// prepare runs the script of the init container.
func (n *node) prepare() {
	n.t.Helper()
	cmd := exec.Command("sh", append([]string{"-euc", n.script, "directories"}, n.args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		n.t.Fatalf("the init container fails: %v\n%s", err, out)
	}
}

// command returns a command of the pod, with the pod's environment.
func (n *node) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(n.root, args[0]), args[1:]...)
	cmd.Env = os.Environ()
	for _, variable := range n.pod.Env {
		cmd.Env = append(cmd.Env, variable.Name+"="+n.path.Replace(variable.Value))
	}
	return cmd
}

func (n *node) run(args ...string) string {
	n.t.Helper()
	var stderr bytes.Buffer
	cmd := n.command(n.t.Context(), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		n.t.Fatalf("%q: %v\n%s", args, err, stderr.String())
	}
	return string(out)
}

// serve starts the daemon with the container's arguments.
func (n *node) serve() *exec.Cmd {
	n.t.Helper()
	args := []string{"assertd"}
	for _, arg := range n.pod.Args {
		args = append(args, strings.Replace(arg, "/etc/assertd/assertd.yaml", n.config, 1))
	}
	cmd := n.command(context.Background(), args...)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if n.t.Failed() {
			n.t.Logf("the daemon's log:\n%s", log.String())
		}
	})
	return cmd
}

func stop(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the daemon: %v", err)
	}
}

// probe runs the command of a probe.
func (n *node) probe(p *core.Probe) bool {
	return n.command(n.t.Context(), p.Exec.Command...).Run() == nil
}

func (n *node) expect(when string, want probes) {
	n.t.Helper()
	if got := (probes{n.probe(n.pod.StartupProbe), n.probe(n.pod.LivenessProbe), n.probe(n.pod.ReadinessProbe)}); got != want {
		n.t.Errorf("%s: %+v, want %+v", when, got, want)
	}
}

func (n *node) await(what string, ok func() bool) {
	n.t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			n.t.Fatalf("waited in vain until %s", what)
		}
	}
}
