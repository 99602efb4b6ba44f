package server

import (
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/assertd/assertd/ipc"
)

// operation is an operation in an OpenAPI document, as far as the tests need
// it.
type operation struct {
	RequestBody struct {
		Content map[string]struct {
			Schema struct {
				Ref string `yaml:"$ref"`
			}
		}
	} `yaml:"requestBody"`
	Responses map[string]any
}

// readPaths returns a document's operations by path and method.
func readPaths(t *testing.T, text []byte) map[string]map[string]operation {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]operation
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	return doc.Paths
}

func TestDocumentHasEveryRoute(t *testing.T) {
	paths := readPaths(t, ipc.OpenAPI())
	known := map[string]bool{}
	for _, r := range routes {
		known[r.method+" "+r.path] = true
		operation, ok := paths[r.path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("%s %s is not in the document", r.method, r.path)
			continue
		}
		if body := operation.RequestBody.Content["application/json"].Schema.Ref != ""; body != (r.method == "POST") {
			t.Errorf("%s %s: a body is described: %v", r.method, r.path, body)
		}
		for _, status := range []string{"200", "400", "405", "500", "503"} {
			if _, ok := operation.Responses[status]; !ok {
				t.Errorf("%s %s: no response %s", r.method, r.path, status)
			}
		}
	}
	for path, operations := range paths {
		for method := range operations {
			if !known[strings.ToUpper(method)+" "+path] {
				t.Errorf("%s %s is only in the document", method, path)
			}
		}
	}
}
