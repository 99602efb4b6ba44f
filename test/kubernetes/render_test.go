package kubernetes

import (
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/common/util"
	"helm.sh/helm/v4/pkg/chart/v2/loader"
	"helm.sh/helm/v4/pkg/engine"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

const (
	overlay       = "../../deploy/kubernetes/example"
	chartDir      = "../../deploy/helm/assertd"
	exampleValues = "../../deploy/helm/example-values.yaml"
	workloadFile  = "../../examples/kubernetes/workload.yaml"
)

// site is one way to deploy assertd. Both must have the same properties.
type site struct {
	name    string
	objects []meta.Object
}

// sites returns the example of kustomize and that of Helm.
func sites(t *testing.T) []site {
	t.Helper()
	return []site{{"kustomize", kustomized(t)}, {"helm", charted(t, values(t))}}
}

// kustomization renders the example overlay once.
var kustomization = sync.OnceValues(func() ([]byte, error) {
	rendered, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), overlay)
	if err != nil {
		return nil, err
	}
	return rendered.AsYaml()
})

func kustomized(t *testing.T) []meta.Object {
	t.Helper()
	stream, err := kustomization()
	if err != nil {
		t.Fatal(err)
	}
	return decode(t, overlay, stream)
}

// values returns a fresh copy of the example's values.
func values(t *testing.T) map[string]any {
	t.Helper()
	values := make(map[string]any)
	if err := yaml.Unmarshal(read(t, exampleValues), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

// manifests renders the chart as release assertd in namespace assertd. An error
// is what helm install would print.
func manifests(values map[string]any) (map[string]string, error) {
	return release("assertd", "assertd", values)
}

func release(name, namespace string, values map[string]any) (map[string]string, error) {
	chart, err := loader.LoadDir(chartDir)
	if err != nil {
		return nil, err
	}
	options := common.ReleaseOptions{Name: name, Namespace: namespace, IsInstall: true, Revision: 1}
	top, err := util.ToRenderValues(chart, values, options, nil)
	if err != nil {
		return nil, err
	}
	// As helm install --dry-run does it: a missing value is empty.
	return engine.Render(chart, top)
}

// charted decodes what the chart renders, except for its notes.
func charted(t *testing.T, values map[string]any) []meta.Object {
	t.Helper()
	files, err := manifests(values)
	if err != nil {
		t.Fatal(err)
	}
	return decodeFiles(t, files)
}

func decodeFiles(t *testing.T, files map[string]string) (objects []meta.Object) {
	t.Helper()
	for _, file := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(file, ".yaml") {
			objects = append(objects, decode(t, file, []byte(files[file]))...)
		}
	}
	return objects
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
