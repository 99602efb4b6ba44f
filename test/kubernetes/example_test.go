package kubernetes

import (
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// TestKustomizeAndHelmAgree compares the two examples object by object. What
// the release tools add themselves is left out.
func TestKustomizeAndHelmAgree(t *testing.T) {
	kustomize, helm := byName(t, kustomized(t)), byName(t, charted(t, values(t)))
	delete(kustomize, "*v1.Namespace assertd") // helm has --create-namespace
	for name, want := range kustomize {
		if got, ok := helm[name]; !ok {
			t.Errorf("the chart has no %s", name)
		} else if got != want {
			t.Errorf("%s differs; the chart has:\n%s\nkustomize has:\n%s", name, got, want)
		}
		delete(helm, name)
	}
	for name := range helm {
		t.Errorf("only the chart has %s", name)
	}
}

// byName returns objects as YAML, by type and name, without what differs
// between the tools on purpose.
func byName(t *testing.T, objects []meta.Object) map[string]string {
	t.Helper()
	found := make(map[string]string)
	for _, object := range objects {
		name := withoutHash(object.GetName())
		object.SetName(name)
		labels := object.GetLabels()
		for _, added := range []string{"app.kubernetes.io/version", "app.kubernetes.io/managed-by", "helm.sh/chart"} {
			delete(labels, added)
		}
		object.SetLabels(labels)
		switch typed := object.(type) {
		case *apps.DaemonSet:
			typed.Spec.Template.Annotations = nil
			for _, volume := range typed.Spec.Template.Spec.Volumes {
				if volume.ConfigMap != nil {
					volume.ConfigMap.Name = withoutHash(volume.ConfigMap.Name)
				}
			}
		case *core.ConfigMap:
			if text, ok := typed.Data["assertd.yaml"]; ok {
				typed.Data["assertd.yaml"] = normal(t, text)
			}
		}
		text, err := yaml.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		found[reflect.TypeOf(object).String()+" "+name] = string(text)
	}
	return found
}

// withoutHash removes the suffix that kustomize adds to the policy's name.
func withoutHash(name string) string {
	if strings.HasPrefix(name, "assertd-policy-") {
		return "assertd-policy"
	}
	return name
}

// normal returns YAML without comments and with sorted members.
func normal(t *testing.T, text string) string {
	t.Helper()
	var value any
	if err := yaml.Unmarshal([]byte(text), &value); err != nil {
		t.Fatal(err)
	}
	sorted, err := yaml.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(sorted)
}

func TestEveryFileIsInTheKustomization(t *testing.T) {
	for _, directory := range []string{overlay, overlay + "/../base"} {
		var kustomization struct {
			Resources []string                   `json:"resources"`
			Maps      []struct{ Files []string } `json:"configMapGenerator"`
			Patches   []struct{ Path string }    `json:"patches"`
		}
		if err := yaml.Unmarshal(read(t, directory+"/kustomization.yaml"), &kustomization); err != nil {
			t.Fatal(err)
		}
		used := append(kustomization.Resources, "kustomization.yaml")
		for _, generated := range kustomization.Maps {
			used = append(used, generated.Files...)
		}
		for _, patch := range kustomization.Patches {
			used = append(used, patch.Path)
		}
		files, _ := filepath.Glob(directory + "/*")
		for _, file := range files {
			if !slices.Contains(used, filepath.Base(file)) {
				t.Errorf("%s is not in the kustomization", file)
			}
		}
	}
}

// TestChartIsLinted runs what helm lint runs, with the example's values.
func TestChartIsLinted(t *testing.T) {
	oldest, err := common.ParseKubeVersion("v1.30.0")
	if err != nil {
		t.Fatal(err)
	}
	result := lint.RunAll(chartDir, values(t), "assertd", lint.WithKubeVersion(oldest))
	for _, message := range result.Messages {
		if message.Severity >= support.WarningSev {
			t.Error(message)
		}
	}
}

// TestNotesNameWhatToMount checks what helm install prints.
func TestNotesNameWhatToMount(t *testing.T) {
	files, err := manifests(values(t))
	if err != nil {
		t.Fatal(err)
	}
	notes := files["assertd/templates/NOTES.txt"]
	for _, want := range []string{"payments/payments-api", "path: /run/assertd/payments-api,", "generic assertd-pin "} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes don't have %q:\n%s", want, notes)
		}
	}
}
