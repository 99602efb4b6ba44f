package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

const manifests = "../../deploy/kubernetes"

// kinds lists the objects that the files may contain.
var kinds = map[string]func() meta.Object{
	"v1/Namespace":                             func() meta.Object { return &core.Namespace{} },
	"v1/ServiceAccount":                        func() meta.Object { return &core.ServiceAccount{} },
	"v1/ConfigMap":                             func() meta.Object { return &core.ConfigMap{} },
	"v1/Service":                               func() meta.Object { return &core.Service{} },
	"apps/v1/DaemonSet":                        func() meta.Object { return &apps.DaemonSet{} },
	"apps/v1/Deployment":                       func() meta.Object { return &apps.Deployment{} },
	"networking.k8s.io/v1/NetworkPolicy":       func() meta.Object { return &networking.NetworkPolicy{} },
	"rbac.authorization.k8s.io/v1/Role":        func() meta.Object { return &rbac.Role{} },
	"rbac.authorization.k8s.io/v1/RoleBinding": func() meta.Object { return &rbac.RoleBinding{} },
}

// read decodes all documents of all files strictly: unknown or misplaced fields
// are errors.
func read(t *testing.T) (objects []meta.Object) {
	t.Helper()
	files, err := filepath.Glob(manifests + "/*.yaml")
	if err != nil || len(files) < 7 {
		t.Fatalf("want at least 7 files, found %v (%v)", files, err)
	}
	for _, file := range files {
		if filepath.Base(file) == "kustomization.yaml" {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range documents(t, content) {
			objects = append(objects, decode(t, file, document))
		}
	}
	return objects
}

func documents(t *testing.T, content []byte) (all [][]byte) {
	reader := utilyaml.NewYAMLReader(newReader(content))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, document)
	}
}

func decode(t *testing.T, file string, document []byte) meta.Object {
	t.Helper()
	var kind meta.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	construct := kinds[kind.APIVersion+"/"+kind.Kind]
	if construct == nil {
		t.Fatalf("%s: unexpected object %s %s; add it to kinds", file, kind.APIVersion, kind.Kind)
	}
	object := construct()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Fatalf("%s: %s: %v", file, kind.Kind, err)
	}
	if problems := validation.IsDNS1123Subdomain(object.GetName()); len(problems) > 0 {
		t.Errorf("%s: name %q: %v", file, object.GetName(), problems)
	}
	return object
}

// one returns the only object of a type.
func one[T meta.Object](t *testing.T, objects []meta.Object) (found T) {
	t.Helper()
	count := 0
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found, count = typed, count+1
		}
	}
	if count != 1 {
		t.Fatalf("%d objects of type %T, want 1", count, found)
	}
	return found
}

func TestFilesAreValid(t *testing.T) {
	if objects := read(t); len(objects) < 10 {
		t.Errorf("%d objects, want at least 10", len(objects))
	}
}

func TestEveryFileIsInTheKustomization(t *testing.T) {
	var kustomization struct {
		Resources []string `json:"resources"`
	}
	content, err := os.ReadFile(manifests + "/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(content, &kustomization); err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(manifests + "/*.yaml")
	for _, file := range files {
		name := filepath.Base(file)
		if name != "kustomization.yaml" && name != "example-workload.yaml" && !slices.Contains(kustomization.Resources, name) {
			t.Errorf("%s is not in the kustomization", name)
		}
	}
}

func TestContainersAreConfined(t *testing.T) {
	objects := read(t)
	for name, pod := range map[string]core.PodSpec{
		"assertd":      one[*apps.DaemonSet](t, objects).Spec.Template.Spec,
		"payments-api": one[*apps.Deployment](t, objects).Spec.Template.Spec,
	} {
		if pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken {
			t.Errorf("%s mounts an API token", name)
		}
		if s := pod.SecurityContext; s == nil || s.SeccompProfile == nil || s.SeccompProfile.Type != core.SeccompProfileTypeRuntimeDefault ||
			s.RunAsNonRoot == nil || !*s.RunAsNonRoot || s.RunAsUser == nil || *s.RunAsUser == 0 {
			t.Errorf("%s is not confined: %+v", name, s)
		}
		if pod.HostNetwork || pod.HostPID || pod.HostIPC {
			t.Errorf("%s shares a namespace with the node", name)
		}
		for _, c := range pod.Containers {
			checkConfined(t, c)
		}
		checkMounts(t, pod)
	}
}

func checkConfined(t *testing.T, c core.Container) {
	s := c.SecurityContext
	if s == nil || s.AllowPrivilegeEscalation == nil || *s.AllowPrivilegeEscalation || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem ||
		s.Capabilities == nil || len(s.Capabilities.Add) > 0 || !slices.Contains(s.Capabilities.Drop, "ALL") {
		t.Errorf("container %s is not confined: %+v", c.Name, s)
	}
}

func checkMounts(t *testing.T, pod core.PodSpec) {
	volumes := make(map[string]bool)
	for _, volume := range pod.Volumes {
		volumes[volume.Name] = true
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("container %s mounts volume %s, which does not exist", c.Name, mount.Name)
			}
		}
	}
}

// TestWorkloadSeesOnlyItsSocket checks that the example workload mounts the
// directory of its own socket and not the parent of all sockets.
func TestWorkloadSeesOnlyItsSocket(t *testing.T) {
	workload := one[*apps.Deployment](t, read(t)).Spec.Template.Spec
	if len(workload.Volumes) != 1 || workload.Volumes[0].HostPath.Path != "/run/assertd/payments-api" {
		t.Errorf("the workload mounts %+v", workload.Volumes)
	}
}

// TestPolicyIsAConfiguration runs assertd on the configuration in the
// ConfigMap.
func TestPolicyIsAConfiguration(t *testing.T) {
	text := one[*core.ConfigMap](t, read(t)).Data["assertd.yaml"]
	path := filepath.Join(t.TempDir(), "assertd.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "run", "./cmd/assertd", "explain", "--config", path, "--user", "20001", "--listener", "/run/assertd/payments-api/assertd.sock", "--audience", "https://as.bank-a.example")
	cmd.Dir = "../.."
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("the policy refuses its example workload: %v\n%s", err, out)
	}
}

func newReader(content []byte) *bufio.Reader { return bufio.NewReader(bytes.NewReader(content)) }

// TestEmptyDirsAreClosed checks that an init container takes away the right of
// everyone to write to an emptyDir. The daemon trusts nothing in such a
// directory.
func TestEmptyDirsAreClosed(t *testing.T) {
	pod := one[*apps.DaemonSet](t, read(t)).Spec.Template.Spec
	prepared := strings.Join(pod.InitContainers[len(pod.InitContainers)-1].Command, "\n")
	_, closed, _ := strings.Cut(prepared, "chmod 0755 ")
	closed, _, _ = strings.Cut(closed, "\n")
	for _, volume := range pod.Volumes {
		for _, mount := range pod.Containers[0].VolumeMounts {
			if volume.EmptyDir != nil && mount.Name == volume.Name && !slices.Contains(strings.Fields(closed), mount.MountPath) {
				t.Errorf("everyone in the pod can write to %s: add it to chmod in %s", mount.MountPath, pod.InitContainers[len(pod.InitContainers)-1].Name)
			}
		}
	}
}
