package kubernetes

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	admissionregistration "k8s.io/api/admissionregistration/v1"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

// kinds lists the objects that may be rendered.
var kinds = map[string]func() meta.Object{
	"v1/Namespace":                       func() meta.Object { return &core.Namespace{} },
	"v1/ServiceAccount":                  func() meta.Object { return &core.ServiceAccount{} },
	"v1/ConfigMap":                       func() meta.Object { return &core.ConfigMap{} },
	"v1/Service":                         func() meta.Object { return &core.Service{} },
	"apps/v1/DaemonSet":                  func() meta.Object { return &apps.DaemonSet{} },
	"apps/v1/Deployment":                 func() meta.Object { return &apps.Deployment{} },
	"networking.k8s.io/v1/NetworkPolicy": func() meta.Object { return &networking.NetworkPolicy{} },
	"rbac.authorization.k8s.io/v1/Role":  func() meta.Object { return &rbac.Role{} },
	"rbac.authorization.k8s.io/v1/RoleBinding": func() meta.Object {
		return &rbac.RoleBinding{}
	},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicy": func() meta.Object {
		return &admissionregistration.ValidatingAdmissionPolicy{}
	},
	"admissionregistration.k8s.io/v1/ValidatingAdmissionPolicyBinding": func() meta.Object {
		return &admissionregistration.ValidatingAdmissionPolicyBinding{}
	},
}

// decode decodes all documents of a YAML stream strictly: unknown, misplaced
// and duplicate fields are errors. Source stands for the stream in errors.
func decode(t *testing.T, source string, stream []byte) (objects []meta.Object) {
	t.Helper()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects
		}
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if object := decodeOne(t, source, document); object != nil {
			objects = append(objects, object)
		}
	}
}

// decodeOne returns nil for a document that has only comments.
func decodeOne(t *testing.T, source string, document []byte) meta.Object {
	t.Helper()
	var kind meta.TypeMeta
	if err := yaml.Unmarshal(document, &kind); err != nil {
		t.Fatalf("%s: %v\n%s", source, err, document)
	}
	if kind == (meta.TypeMeta{}) {
		return nil
	}
	construct := kinds[kind.APIVersion+"/"+kind.Kind]
	if construct == nil {
		t.Fatalf("%s: unexpected object %s %s; add it to kinds", source, kind.APIVersion, kind.Kind)
	}
	object := construct()
	if err := yaml.UnmarshalStrict(document, object); err != nil {
		t.Fatalf("%s: %s: %v", source, kind.Kind, err)
	}
	if problems := validation.IsDNS1123Subdomain(object.GetName()); len(problems) > 0 {
		t.Errorf("%s: name %q: %v", source, object.GetName(), problems)
	}
	for key, value := range object.GetLabels() {
		if problems := append(validation.IsQualifiedName(key), validation.IsValidLabelValue(value)...); len(problems) > 0 {
			t.Errorf("%s: label %s=%q: %v", source, key, value, problems)
		}
	}
	return object
}

// all returns the objects of a type.
func all[T meta.Object](objects []meta.Object) (found []T) {
	for _, object := range objects {
		if typed, ok := object.(T); ok {
			found = append(found, typed)
		}
	}
	return found
}

// one returns the only object of a type.
func one[T meta.Object](t *testing.T, objects []meta.Object) T {
	t.Helper()
	found := all[T](objects)
	if len(found) != 1 {
		t.Fatalf("%d objects of type %T, want 1", len(found), *new(T))
	}
	return found[0]
}

// named returns the object of a type that has a name.
func named[T meta.Object](t *testing.T, objects []meta.Object, name string) T {
	t.Helper()
	for _, object := range all[T](objects) {
		if object.GetName() == name {
			return object
		}
	}
	t.Fatalf("no %T is named %s", *new(T), name)
	panic("unreachable")
}
