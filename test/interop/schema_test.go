package interop

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/assertd/assertd/internal/config"
)

// configurationSchema is docs/assertd.schema.json, which editors use to check
// configurations.
var configurationSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile(filepath.Join(root, "docs", "assertd.schema.json"))
})

// validate checks a configuration against the schema.
func validate(t *testing.T, configuration []byte) error {
	t.Helper()
	schema, err := configurationSchema()
	if err != nil {
		t.Fatal(err)
	}
	text, err := yaml.YAMLToJSON(configuration)
	if err != nil {
		t.Fatal(err)
	}
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if err != nil && !errors.As(err, &invalid) {
		t.Fatal(err)
	}
	return err
}

func TestSchemaIsAJSONSchema(t *testing.T) {
	file, err := os.Open(filepath.Join(root, "docs", "assertd.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	schema, err := jsonschema.UnmarshalJSON(file)
	if err != nil {
		t.Fatal(err)
	}
	meta, err := jsonschema.NewCompiler().Compile("https://json-schema.org/draft/2020-12/schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := meta.Validate(schema); err != nil {
		t.Error(err)
	}
}

func TestSchemaTakesTheExamples(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "examples", "config", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			if err := validate(t, read(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestSchemaRefuses breaks a good configuration in ways that both the daemon
// and the schema must refuse. Only the daemon can check what concerns more than
// one value, such as a grant that names a missing key set.
func TestSchemaRefuses(t *testing.T) {
	file := filepath.Join(root, "examples", "config", "containers.yaml")
	good := string(read(t, file))
	if _, err := config.Parse(file, []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, old, new string }{
		{"an unknown section", "jwks:", "jkws:"},
		{"an unknown setting", "max_age:", "maxage:"},
		{"a missing setting", "        key: payments\n", ""},
		{"a socket without a path", "socket: /run/assertd/payments/assertd.sock, ", ""},
		{"an unknown algorithm", "alg: ES256", "alg: HS256"},
		{"an unknown use", "use: assertion", "use: both"},
		{"an unknown profile", "profile: private_key_jwt", "profile: private-key-jwt"},
		{"a duration without a unit", "max_age: 5m", "max_age: 300"},
		{"a mode as a number", `mode: "0666"`, "mode: 0666"},
		{"a relative path", "/run/assertd/payments/assertd.sock", "assertd.sock"},
		{"an address without a port", `listen: ":8080"`, "listen: localhost"},
		{"a literal PIN", "pin: {file: /run/secrets/assertd-pin}", "pin: 123456"},
		{"a rate of nothing", "limit: 50", "limit: 0"},
		{"a list for a mapping", "keys:", "keys: []\nignored:"},
		{"a wrong type", "uid: 10001", `uid: "ten"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			bad := strings.Replace(good, test.old, test.new, 1)
			if bad == good {
				t.Fatalf("the example does not contain %q", test.old)
			}
			if _, err := config.Parse(file, []byte(bad)); err == nil {
				t.Error("the daemon accepts it")
			}
			if err := validate(t, []byte(bad)); err == nil {
				t.Error("the schema accepts it")
			}
		})
	}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
