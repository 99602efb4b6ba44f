package kubernetes

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "rewrite the generated parts of the chart")

// changes has another value for each value of the chart. {} and [] in
// values.yaml are values too: what is in them is for the schema.
var changes = map[string]any{
	"image.repository":              "registry.example/assertd",
	"image.tag":                     "9.9.9",
	"image.digest":                  "sha256:" + strings.Repeat("0", 64),
	"image.pullPolicy":              "Always",
	"imagePullSecrets":              []any{map[string]any{"name": "registry"}},
	"module.image":                  "",
	"module.path":                   "/opt/other",
	"module.size":                   "1Gi",
	"pinSecret":                     "other-pin",
	"hsm":                           map[string]any{"module": "/module/other.so"},
	"keys":                          map[string]any{"other": map[string]any{"alg": "ES256", "use": "assertion"}},
	"workloads":                     map[string]any{"payments-api": map[string]any{"pods": []any{"other/default"}}},
	"settings":                      map[string]any{"log": map[string]any{"level": "debug"}},
	"hostPaths.sockets":             "/run/other",
	"hostPaths.state":               "/var/lib/other",
	"hostPaths.audit":               "/var/log/other",
	"jwks.service":                  false,
	"jwks.port":                     8080,
	"networkPolicy.enabled":         false,
	"networkPolicy.jwksFrom":        []any{},
	"networkPolicy.metricsFrom":     []any{},
	"networkPolicy.egress":          []any{},
	"rbac.create":                   false,
	"rbac.operators":                []any{},
	"rbac.security":                 []any{},
	"admission.enabled":             false,
	"resources":                     map[string]any{"limits": map[string]any{"memory": "1Gi"}},
	"maxUnavailable":                "10%",
	"minReadySeconds":               30,
	"terminationGracePeriodSeconds": 60,
	"priorityClassName":             "high",
	"nodeSelector":                  map[string]any{"hsm": "yes"},
	"affinity":                      map[string]any{"nodeAffinity": map[string]any{}},
	"tolerations":                   []any{map[string]any{"operator": "Exists"}},
	"podAnnotations":                map[string]any{"a": "b"},
	"podLabels":                     map[string]any{"a": "b"},
	"seLinuxOptions":                map[string]any{"type": "spc_t"},
}

// TestEveryValueMatters changes each value by itself, and expects other
// objects, which are still valid.
func TestEveryValueMatters(t *testing.T) {
	before := rendered(t, values(t))
	defaults := make(map[string]any)
	if err := yaml.Unmarshal(read(t, chartDir+"/values.yaml"), &defaults); err != nil {
		t.Fatal(err)
	}
	if got, want := slices.Sorted(maps.Keys(changes)), slices.Sorted(slices.Values(leaves("", defaults))); !slices.Equal(got, want) {
		t.Errorf("values.yaml has %q\nthe test changes %q", want, got)
	}
	for name, value := range changes {
		changed := values(t)
		set(changed, strings.Split(name, "."), value)
		if after := rendered(t, changed); after == before {
			t.Errorf("%s changes nothing", name)
		}
	}
}

// rendered returns the objects that the chart makes, decoded strictly.
func rendered(t *testing.T, values map[string]any) string {
	t.Helper()
	text, err := yaml.Marshal(charted(t, values))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// leaves returns the dotted names of the values. A mapping that has members in
// values.yaml is a value of its own only if its members are not the chart's.
func leaves(prefix string, values map[string]any) (names []string) {
	for name, value := range values {
		members, ok := value.(map[string]any)
		if ok && len(members) > 0 && name != "resources" && name != "nodeSelector" {
			names = append(names, leaves(prefix+name+".", members)...)
			continue
		}
		names = append(names, prefix+name)
	}
	return names
}

// set changes the value of a dotted name, and keeps what the example has beside
// it.
func set(values map[string]any, name []string, value any) {
	inner, isMap := values[name[0]].(map[string]any)
	if len(name) > 1 {
		if !isMap {
			inner = make(map[string]any)
			values[name[0]] = inner
		}
		set(inner, name[1:], value)
		return
	}
	if changes, ok := value.(map[string]any); ok && isMap {
		for member, change := range changes {
			set(inner, []string{member}, change)
		}
		return
	}
	values[name[0]] = value
}

// TestMistakesAreRefused checks that the schema and the templates refuse values
// that would not do what they say.
func TestMistakesAreRefused(t *testing.T) {
	for _, c := range []struct {
		name  string
		value any
		want  string
	}{
		{"imagee", "x", "imagee"},
		{"image.digest", "latest", "digest"},
		{"hsm", map[string]any{"modul": "/x.so"}, "modul"},
		{"keys", map[string]any{"payments": map[string]any{"alg": "none"}}, "alg"},
		{"workloads", map[string]any{"Payments": map[string]any{}}, "Payments"},
		{"workloads", map[string]any{"payments-api": map[string]any{"pods": []any{}}}, "pods"},
		{"workloads", map[string]any{"payments-api": map[string]any{"pods": []any{"payments/x'] + ['y"}}}, "pods"},
		{"workloads", map[string]any{"payments-api": map[string]any{"client": map[string]any{"grant": 1}}}, "grant"},
		{"settings", map[string]any{"clients": []any{}}, "clients"},
		{"settings", map[string]any{"audit": map[string]any{"file": "/tmp/audit"}}, "audit"},
		{"settings", map[string]any{"jwks": map[string]any{"listen": ":80"}}, "jwks"},
		{"hostPaths.sockets", "/run/../etc", "sockets"},
		{"hostPaths.sockets", "/run", "sockets"},
		{"hostPaths.sockets", "/var/run/assertd", "sockets"},
		{"jwks.port", 0, "port"},
	} {
		changed := values(t)
		set(changed, strings.Split(c.name, "."), c.value)
		if _, err := manifests(changed); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s = %v: %v", c.name, c.value, err)
		}
	}
	if _, err := manifests(nil); err == nil || !strings.Contains(err.Error(), "hsm") {
		t.Errorf("without values: %v", err)
	}
}

// TestPolicyThatNoConfigMapHolds checks that a policy beyond the size of a
// ConfigMap is refused before the API server does it, halfway through an
// upgrade. One of 2,000 clients fits.
func TestPolicyThatNoConfigMapHolds(t *testing.T) {
	if _, err := manifests(withWorkloads(t, 2000)); err != nil {
		t.Error(err)
	}
	changed := values(t)
	changed["workloads"] = map[string]any{"payments-api": map[string]any{"client": map[string]any{
		"grants": []any{map[string]any{"name": "bank-a", "key": "payments", "audiences": slices.Repeat([]any{"https://as.bank-a.example/token"}, 40_000)}},
	}, "pods": []any{"payments/payments-api"}}}
	_, err := manifests(changed)
	if err == nil || !strings.Contains(err.Error(), "a ConfigMap holds 1000000; split the workloads") {
		t.Error(err)
	}
}

// withWorkloads returns the example with more workloads like its own.
func withWorkloads(t *testing.T, n int) map[string]any {
	t.Helper()
	changed := values(t)
	workloads := changed["workloads"].(map[string]any)
	for i := range n - 1 {
		workloads[fmt.Sprintf("payments-%d", i)] = workloads["payments-api"]
	}
	return changed
}

// TestLargeUserIDs checks that the IDs of OpenShift survive Helm's numbers,
// which are floating-point.
func TestLargeUserIDs(t *testing.T) {
	changed := values(t)
	client := changed["workloads"].(map[string]any)["payments-api"].(map[string]any)["client"].(map[string]any)
	client["match"] = map[string]any{"uid": float64(1000660000)}
	c := configuration(t, charted(t, changed))
	if uid := c.Clients[0].Match.UID; uid == nil || *uid != 1000660000 {
		t.Errorf("the policy has user %v", uid)
	}
}

// TestReleasesDontShareNames renders the chart with a name and namespace of its
// own: nothing may still be called assertd or be elsewhere.
func TestReleasesDontShareNames(t *testing.T) {
	files, err := release("second", "hsm", values(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range decodeFiles(t, files) {
		if name := object.GetName(); name != "second" && !strings.HasPrefix(name, "second-") {
			t.Errorf("%T %s is not named for its release", object, name)
		}
		if namespace := object.GetNamespace(); namespace != "hsm" && namespace != "" {
			t.Errorf("%T %s is in namespace %s", object, object.GetName(), namespace)
		}
	}
}

// TestNoPeersMeansNobody checks that an empty list under networkPolicy lets
// nobody in: an empty "from" would let everyone.
func TestNoPeersMeansNobody(t *testing.T) {
	changed := values(t)
	changed["networkPolicy"] = map[string]any{}
	spec := one[*networking.NetworkPolicy](t, charted(t, changed)).Spec
	if len(spec.Ingress) != 0 || len(spec.Egress) != 0 || len(spec.PolicyTypes) != 2 {
		t.Errorf("%+v", spec)
	}
}

// TestModuleInTheImage checks that no volume hides the daemon's own module.
func TestModuleInTheImage(t *testing.T) {
	changed := values(t)
	changed["module"] = map[string]any{"image": ""}
	pod := daemon(t, charted(t, changed)).Spec
	checkMounts(t, "helm", pod)
	if len(pod.InitContainers) != 1 || slices.ContainsFunc(pod.Volumes, func(v core.Volume) bool { return v.Name == "module" }) ||
		strings.Contains(script(t, pod), "/module") {
		t.Errorf("%+v", pod)
	}
}

// schema is values.schema.json.
type schema struct {
	Description string             `json:"description"`
	Properties  map[string]*schema `json:"properties"`
	Default     any                `json:"default"`
}

// TestEverySectionHasAPlace checks that each section of the configuration is in
// settings, a value of its own, or set by the chart.
func TestEverySectionHasAPlace(t *testing.T) {
	var chart, configuration schema
	decodeJSON(t, chartDir+"/values.schema.json", &chart)
	decodeJSON(t, "../../docs/assertd.schema.json", &configuration)
	want := slices.Sorted(maps.Keys(configuration.Properties))
	got := slices.Sorted(maps.Keys(chart.Properties["settings"].Properties))
	got = append(got, "hsm", "keys", "clients", "listen", "metrics", "operator", "budgets")
	if slices.Sort(got); !slices.Equal(got, want) {
		t.Errorf("the chart has a place for %q\nthe configuration has %q", got, want)
	}
}

// TestSchemaHasTheConfiguration checks that the chart's schema has the types of
// the daemon's configuration as docs/assertd.schema.json has them.
func TestSchemaHasTheConfiguration(t *testing.T) {
	type file map[string]json.RawMessage
	var chart, daemon file
	decodeJSON(t, chartDir+"/values.schema.json", &chart)
	decodeJSON(t, "../../docs/assertd.schema.json", &daemon)
	if got, want := compact(t, chart["$defs"]), compact(t, daemon["$defs"]); got == want {
		return
	}
	if !*update {
		t.Fatal("values.schema.json has other $defs than docs/assertd.schema.json; run: go test . -update")
	}
	text := read(t, chartDir+"/values.schema.json")
	var defs bytes.Buffer
	if err := json.Indent(&defs, daemon["$defs"], "  ", "  "); err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte(`"$defs": `)) + len(`"$defs": `)
	text = slices.Concat(text[:at], defs.Bytes(), []byte("\n}\n"))
	if err := os.WriteFile(chartDir+"/values.schema.json", text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func decodeJSON(t *testing.T, path string, into any) {
	t.Helper()
	if err := json.Unmarshal(read(t, path), into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

func compact(t *testing.T, text json.RawMessage) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, text); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The marks around the generated table in the chart's README.
const tableStart, tableEnd = "<!-- generated by test/kubernetes -update -->\n", "<!-- end -->\n"

// TestReadmeHasEveryValue compares the table in the chart's README with the
// defaults in values.yaml and the descriptions in the schema.
func TestReadmeHasEveryValue(t *testing.T) {
	var root schema
	decodeJSON(t, chartDir+"/values.schema.json", &root)
	defaults := make(map[string]any)
	if err := yaml.Unmarshal(read(t, chartDir+"/values.yaml"), &defaults); err != nil {
		t.Fatal(err)
	}
	table := "| value | default | |\n|---|---|---|\n"
	for _, name := range slices.Sorted(slices.Values(leaves("", defaults))) {
		at, value := &root, any(defaults)
		for _, member := range strings.Split(name, ".") {
			at, value = at.Properties[member], value.(map[string]any)[member]
			if at == nil {
				t.Fatalf("the schema does not have %s", name)
			}
		}
		text, err := json.Marshal(value)
		if err != nil || at.Description == "" {
			t.Fatalf("%s: description %q, %v", name, at.Description, err)
		}
		table += fmt.Sprintf("| `%s` | `%s` | %s |\n", name, text, at.Description)
	}
	readme := string(read(t, chartDir+"/README.md"))
	before, rest, _ := strings.Cut(readme, tableStart)
	old, after, found := strings.Cut(rest, tableEnd)
	switch {
	case !found:
		t.Fatal("README.md has no marks for the table")
	case old == table:
	case !*update:
		t.Fatal("the table in README.md is old; run: go test . -update")
	default:
		if err := os.WriteFile(chartDir+"/README.md", []byte(before+tableStart+table+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
