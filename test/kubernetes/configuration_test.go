package kubernetes

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/assertd/assertd/internal/config"
	"github.com/assertd/assertd/internal/policytest"
	"github.com/assertd/assertd/signer/policy"
)

// configurationText returns the daemon's configuration in the ConfigMap that
// the DaemonSet mounts.
func configurationText(t *testing.T, objects []meta.Object) string {
	t.Helper()
	for _, volume := range daemon(t, objects).Spec.Volumes {
		if volume.Name == "configuration" {
			return named[*core.ConfigMap](t, objects, volume.ConfigMap.Name).Data["assertd.yaml"]
		}
	}
	t.Fatal("the daemon's pod has no volume named configuration")
	panic("unreachable")
}

// configuration reads that configuration as assertd check does.
func configuration(t *testing.T, objects []meta.Object) *config.Config {
	t.Helper()
	c, err := config.Parse("assertd.yaml", []byte(configurationText(t, objects)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestPolicyIsAConfiguration asks the policy in the ConfigMap what the example
// workload gets, and what others get on its socket.
func TestPolicyIsAConfiguration(t *testing.T) {
	user := workloadUser(t)
	for _, s := range sites(t) {
		file := filepath.Join(t.TempDir(), "assertd.yaml")
		if err := os.WriteFile(file, []byte(configurationText(t, s.objects)), 0o600); err != nil {
			t.Fatal(err)
		}
		simulator, err := policytest.OpenSimulator(file)
		if err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		for _, c := range []struct {
			uid      uint32
			audience string
			refused  policy.Reason
		}{
			{user, "https://as.bank-a.example", ""},
			{user, "https://as.evil.example", policy.AudienceNotAllowed},
			{user + 1, "https://as.bank-a.example", policy.UnknownCaller},
		} {
			caller, err := simulator.Caller(policytest.Process{UID: &c.uid, Listener: "/run/assertd/payments-api/assertd.sock"})
			if err != nil {
				t.Fatal(err)
			}
			answer, err := simulator.Assert(caller, policy.Request{Audience: c.audience})
			if err != nil {
				t.Fatal(err)
			}
			var got policy.Reason
			if answer.Refusal != nil {
				got = answer.Refusal.Code
			}
			if got != c.refused {
				t.Errorf("%s: user %d and %s: got %q, want %q", s.name, c.uid, c.audience, got, c.refused)
			}
		}
	}
}

// workloadUser returns the user of the example workload's pods.
func workloadUser(t *testing.T) uint32 {
	t.Helper()
	return uint32(*workload(t).Spec.SecurityContext.RunAsUser)
}

// TestEachWorkloadHasASocketOfItsOwn compares the places that know a workload:
// its socket and the client that it is bound to; the directory that the init
// container makes; and the admission policy, which lets pods mount it.
func TestEachWorkloadHasASocketOfItsOwn(t *testing.T) {
	for _, s := range sites(t) {
		var sockets []string
		for _, listener := range configuration(t, s.objects).Listen {
			name, ok := strings.CutPrefix(path.Dir(listener.Socket), "/run/assertd/")
			if !ok || name != listener.Client || path.Base(listener.Socket) != "assertd.sock" {
				t.Errorf("%s: %s is not in a directory of %q", s.name, listener.Socket, listener.Client)
			}
			sockets = append(sockets, name)
		}
		slices.Sort(sockets)
		init := daemon(t, s.objects).Spec.InitContainers
		if made := init[len(init)-1].Args; !slices.Equal(made, sockets) {
			t.Errorf("%s: the sockets are those of %q, the directories those of %q", s.name, sockets, made)
		}
		policy := admissionPolicy(t, s.objects, "assertd-sockets")
		for _, name := range sockets {
			pod := workload(t)
			pod.Spec.Volumes[0].HostPath.Path = "/run/assertd/" + name
			if refused := policy.review(t, "payments", pod.Spec); len(refused) > 0 {
				t.Errorf("%s: no pod can mount the socket of %s: %q", s.name, name, refused)
			}
		}
	}
}

// TestConfigurationFitsThePod checks that what the configuration names is where
// the pod has it.
func TestConfigurationFitsThePod(t *testing.T) {
	for _, s := range sites(t) {
		c, pod := configuration(t, s.objects), daemon(t, s.objects).Spec.Containers[0]
		for _, file := range []string{c.HSM.Module, c.HSM.PIN.File, c.Operator.Socket, c.Budgets.File, c.Audit.File} {
			if !slices.ContainsFunc(pod.VolumeMounts, func(m core.VolumeMount) bool { return strings.HasPrefix(file, m.MountPath+"/") }) {
				t.Errorf("%s: %s is in no volume", s.name, file)
			}
		}
		if !slices.Contains(pod.Env, core.EnvVar{Name: "ASSERTD_OPERATOR_SOCKET", Value: c.Operator.Socket}) {
			t.Errorf("%s: the probes ask another socket than %s", s.name, c.Operator.Socket)
		}
		for name, listen := range map[string]string{"jwks": c.JWKS.Listen, "metrics": c.Metrics.Listen} {
			if !slices.ContainsFunc(pod.Ports, func(p core.ContainerPort) bool {
				return p.Name == name && listen == fmt.Sprintf(":%d", p.ContainerPort)
			}) {
				t.Errorf("%s: port %s is not %s", s.name, name, listen)
			}
		}
	}
}
