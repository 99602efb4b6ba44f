package kubernetes

import (
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// daemon returns the pod of the DaemonSet.
func daemon(t *testing.T, objects []meta.Object) core.PodTemplateSpec {
	t.Helper()
	return one[*apps.DaemonSet](t, objects).Spec.Template
}

// workload returns the pod of the example workload.
func workload(t *testing.T) core.PodTemplateSpec {
	t.Helper()
	return one[*apps.Deployment](t, decode(t, workloadFile, read(t, workloadFile))).Spec.Template
}

// pods returns the pods of both deployments and of the example workload.
func pods(t *testing.T) map[string]core.PodSpec {
	t.Helper()
	found := map[string]core.PodSpec{"workload": workload(t).Spec}
	for _, s := range sites(t) {
		found[s.name] = daemon(t, s.objects).Spec
	}
	return found
}

func TestContainersAreConfined(t *testing.T) {
	for name, pod := range pods(t) {
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s mounts an API token", name)
		}
		for _, c := range pod.Containers {
			checkConfined(t, name, c)
		}
		checkMounts(t, name, pod)
	}
}

func checkConfined(t *testing.T, pod string, c core.Container) {
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.Capabilities == nil || len(s.Capabilities.Add) > 0 || !slices.Contains(s.Capabilities.Drop, "ALL") {
		t.Errorf("%s: container %s is not confined: %+v", pod, c.Name, s)
	}
}

func checkMounts(t *testing.T, name string, pod core.PodSpec) {
	volumes := make(map[string]bool)
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s: container %s mounts volume %s, which does not exist", name, c.Name, mount.Name)
			}
		}
	}
}

// TestPodSecurity runs the checks of Kubernetes' own Pod Security admission.
// The pods break "baseline" only by hostPath, and "restricted" only by what
// the init container that prepares the directories needs.
func TestPodSecurity(t *testing.T) {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := func(pod core.PodSpec, level api.Level) (reasons []string) {
		for _, result := range evaluator.EvaluatePod(api.LevelVersion{Level: level, Version: api.LatestVersion()}, &meta.ObjectMeta{}, &pod) {
			if !result.Allowed {
				reasons = append(reasons, result.ForbiddenReason)
			}
		}
		return slices.Sorted(slices.Values(reasons))
	}
	for name, pod := range pods(t) {
		if got := broken(pod, api.LevelBaseline); !slices.Equal(got, []string{"hostPath volumes"}) {
			t.Errorf("%s breaks baseline: %q", name, got)
		}
		pod.InitContainers = slices.DeleteFunc(slices.Clone(pod.InitContainers), func(c core.Container) bool { return c.Name == "directories" })
		if got := broken(pod, api.LevelRestricted); !slices.Equal(got, []string{"hostPath volumes", "restricted volume types"}) &&
			!slices.Equal(got, []string{"restricted volume types"}) {
			t.Errorf("%s breaks restricted: %q", name, got)
		}
	}
}

// TestWorkloadSeesOnlyItsSocket checks that the example workload mounts the
// directory of its own socket, read-only, and not the parent of all sockets.
func TestWorkloadSeesOnlyItsSocket(t *testing.T) {
	pod := workload(t).Spec
	if len(pod.Volumes) != 1 || pod.Volumes[0].HostPath.Path != "/run/assertd/payments-api" {
		t.Errorf("the workload mounts %+v", pod.Volumes)
	}
	if mounts := pod.Containers[0].VolumeMounts; len(mounts) != 1 || !mounts[0].ReadOnly {
		t.Errorf("the workload can write to the socket's directory: %+v", mounts)
	}
}

// TestEmptyDirsAreClosed checks that an init container takes away the right of
// everyone to write to an emptyDir. The daemon trusts nothing in such a
// directory.
func TestEmptyDirsAreClosed(t *testing.T) {
	for _, s := range sites(t) {
		pod := daemon(t, s.objects).Spec
		_, closed, _ := strings.Cut(script(t, pod), "chmod 0755 ")
		closed, _, _ = strings.Cut(closed, "\n")
		for _, volume := range pod.Volumes {
			for _, mount := range pod.Containers[0].VolumeMounts {
				if volume.EmptyDir != nil && mount.Name == volume.Name && !slices.Contains(strings.Fields(closed), mount.MountPath) {
					t.Errorf("%s: everyone in the pod can write to %s: add it to chmod in the init container", s.name, mount.MountPath)
				}
			}
		}
	}
}

// TestDaemonCantRedirectMounts checks that root owns the parent of the sockets'
// directories. The kubelet follows links: a daemon that could replace a
// directory with one would choose what the workload's pods mount.
func TestDaemonCantRedirectMounts(t *testing.T) {
	for _, s := range sites(t) {
		if text := script(t, daemon(t, s.objects).Spec); !strings.HasPrefix(text, "install -d -o root -g root -m 0755 /run/assertd\n") {
			t.Errorf("%s: the init container runs\n%s", s.name, text)
		}
	}
}

// script returns what the init container that prepares the directories runs.
func script(t *testing.T, pod core.PodSpec) string {
	t.Helper()
	last := pod.InitContainers[len(pod.InitContainers)-1]
	if last.Name != "directories" || !slices.Equal(last.Command[:2], []string{"sh", "-euc"}) {
		t.Fatalf("the last init container is %s: %q", last.Name, last.Command)
	}
	return last.Command[2]
}

// TestUpgradeKeepsOneDaemonPerNode checks that two daemons never share a node's
// sockets, and that the kubelet waits for the daemon's drain, 10 s by default.
func TestUpgradeKeepsOneDaemonPerNode(t *testing.T) {
	for _, s := range sites(t) {
		set := one[*apps.DaemonSet](t, s.objects).Spec
		if rolling := set.UpdateStrategy.RollingUpdate; rolling.MaxSurge.IntValue() != 0 || rolling.MaxUnavailable.IntValue() != 1 {
			t.Errorf("%s: %+v", s.name, rolling)
		}
		if grace := set.Template.Spec.TerminationGracePeriodSeconds; grace == nil || *grace <= 10 {
			t.Errorf("%s: the daemon is killed before it has drained", s.name)
		}
	}
}

// TestJWKSOutlivesTheHSM checks that the Service also leads to daemons that
// can't sign: they go on serving the keys.
func TestJWKSOutlivesTheHSM(t *testing.T) {
	for _, s := range sites(t) {
		service := one[*core.Service](t, s.objects).Spec
		if !service.PublishNotReadyAddresses {
			t.Errorf("%s: without an HSM, nobody gets the public keys", s.name)
		}
		for key, value := range service.Selector {
			if daemon(t, s.objects).Labels[key] != value {
				t.Errorf("%s: the Service selects %s=%s, which the pods don't have", s.name, key, value)
			}
		}
	}
}
