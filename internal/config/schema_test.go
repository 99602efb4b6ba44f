package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/assertd/assertd/internal/strictyaml"
)

var update = flag.Bool("update", false, "rewrite the golden files and documents")

// same compares a generated file with the committed one, or writes it.
func same(t *testing.T, path string, want []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, want, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is out of date; run go test ./internal/config -update\n--- committed\n%s\n--- from the code\n%s", path, clip(got), clip(want))
	}
}

func clip(b []byte) []byte { return b[:min(len(b), 2000)] }

func TestSchemaIsCommitted(t *testing.T) {
	same(t, "../../docs/assertd.schema.json", Schema())
}

// TestTags fails for settings without a description, and for defaults that
// break their own rules.
func TestTags(t *testing.T) {
	seen := make(map[reflect.Type]bool)
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice || typ.Kind() == reflect.Map {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		checkDefaults(t, typ)
		for _, f := range strictyaml.Fields(typ) {
			if f.Name == "" || f.Doc == "" || !strings.HasSuffix(f.Doc, ".") {
				t.Errorf("%s: field %d: name %q, doc %q", typ, f.Index, f.Name, f.Doc)
			}
			if f.Format != "" && formats()[f.Format].Check == nil {
				t.Errorf("%s.%s: no format %q", typ, f.Name, f.Format)
			}
			if _, text := reflect.New(typ.Field(f.Index).Type).Interface().(interface{ UnmarshalText([]byte) error }); !text {
				walk(typ.Field(f.Index).Type)
			}
		}
	}
	delete(seen, reflect.TypeFor[ClaimRule]())
	seen[reflect.TypeFor[ClaimRule]()] = true // has its own forms
	seen[reflect.TypeFor[NotBefore]()] = true // so has this
	walk(reflect.TypeFor[Config]())
}

// checkDefaults decodes an empty section. Its only mistakes must be missing
// required settings.
func checkDefaults(t *testing.T, typ reflect.Type) {
	t.Helper()
	file, err := strictyaml.Parse("defaults.yaml", []byte("{}"), FileRules(""))
	if err != nil {
		t.Fatal(err)
	}
	file.Decode(reflect.New(typ).Interface())
	var invalid *strictyaml.Error
	if !errors.As(file.Err(), &invalid) {
		return
	}
	for _, p := range invalid.Problems {
		if !strings.Contains(p.Message, " is missing") {
			t.Errorf("%s: %s", typ, p.Message)
		}
	}
}

// TestExamples checks every example against Parse and the schema.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("../../examples/config/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(file, data, WithAccounts(StandIns())); err != nil {
				t.Error(err)
			}
			for _, problem := range schemaProblems(t, data) {
				t.Error(problem)
			}
		})
	}
}

// TestSchemaRefuses checks that the schema refuses the mistakes that it can
// express.
func TestSchemaRefuses(t *testing.T) {
	good := "hsm: {module: /m, token: {label: t}, pin: {file: /p}}\n"
	for _, bad := range []string{
		"keys: {}\n",
		good + "bogus: 1\n",
		good + "keys: {a: {alg: ES257, use: raw}}\n",
		good + "keys: {a: {alg: ES256}}\n",
		good + "verify: never\n",
		good + "clients: [{name: a, match: {user: a, uid: 1}, grants: []}]\n",
		good + "clients: [{name: a, grants: [{name: b, key: c, claims: {allow: {x: all}}}]}]\n",
		good + "limits: {connections: 0}\n",
		good + "audit: {interval: 5}\n",
		good + "jwks: {max_age: 5 minutes}\n",
		"hsm: {module: /m, token: {label: t}, pin: {file: /p, prompt: true}}\n",
		"hsm: {module: /m, token: {label: t}, tokens: [{name: a, label: b}], pin: {file: /p}}\n",
		"hsm: {module: m, token: {label: t}, pin: {file: /p}}\n",
	} {
		if problems := schemaProblems(t, []byte(bad)); len(problems) == 0 {
			t.Errorf("the schema accepts\n%s", bad)
		}
	}
	if problems := schemaProblems(t, []byte(good)); len(problems) > 0 {
		t.Error(problems)
	}
}

func schemaProblems(t *testing.T, data []byte) []string {
	t.Helper()
	text, err := yaml.YAMLToJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	var value any
	var schema map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	v := validator{definitions: schema["$defs"].(map[string]any)}
	return v.check("$", value, schema)
}

// validator knows the JSON Schema keywords that the generator writes, and fails
// on any other.
type validator struct{ definitions map[string]any }

func (v validator) check(path string, value any, schema map[string]any) (problems []string) {
	bad := func(format string, args ...any) {
		problems = append(problems, path+": "+fmt.Sprintf(format, args...))
	}
	object, _ := value.(map[string]any)
	list, _ := value.([]any)
	text, isText := value.(string)
	number, isNumber := value.(float64)
	for keyword, arg := range schema {
		switch keyword {
		case "$schema", "$id", "$defs", "title", "description", "default", "properties":
		case "$ref":
			problems = append(problems, v.check(path, value, v.definitions[strings.TrimPrefix(arg.(string), "#/$defs/")].(map[string]any))...)
		case "type":
			if !typed(value, arg.(string)) {
				bad("is not of type %s", arg)
			}
		case "enum":
			if !slices.Contains(arg.([]any), value) {
				bad("%v is not one of %v", value, arg)
			}
		case "const":
			if value != arg && (isText || isNumber || value == nil) || object != nil || list != nil {
				bad("is not %v", arg)
			}
		case "pattern":
			if isText && !regexp.MustCompile(arg.(string)).MatchString(text) {
				bad("%q does not match %s", text, arg)
			}
		case "minLength":
			if isText && float64(len(text)) < arg.(float64) {
				bad("is too short")
			}
		case "maxLength":
			if isText && float64(len(text)) > arg.(float64) {
				bad("is too long")
			}
		case "minimum":
			if isNumber && number < arg.(float64) {
				bad("is too small")
			}
		case "maximum":
			if isNumber && number > arg.(float64) {
				bad("is too large")
			}
		case "minProperties":
			if object != nil && float64(len(object)) < arg.(float64) {
				bad("has too few keys")
			}
		case "maxProperties":
			if object != nil && float64(len(object)) > arg.(float64) {
				bad("has too many keys")
			}
		case "required":
			for _, name := range arg.([]any) {
				if _, ok := object[name.(string)]; !ok {
					bad("lacks %s", name)
				}
			}
		case "additionalProperties":
			problems = append(problems, v.members(path, object, schema, arg)...)
		case "items":
			for i, item := range list {
				problems = append(problems, v.check(fmt.Sprintf("%s[%d]", path, i), item, arg.(map[string]any))...)
			}
		case "not":
			if len(v.check(path, value, arg.(map[string]any))) == 0 {
				bad("matches the schema under not")
			}
		case "oneOf", "anyOf", "allOf":
			fit := 0
			for _, branch := range arg.([]any) {
				if len(v.check(path, value, branch.(map[string]any))) == 0 {
					fit++
				}
			}
			if fit == 0 || keyword == "oneOf" && fit != 1 || keyword == "allOf" && fit != len(arg.([]any)) {
				bad("matches %d branches of %s", fit, keyword)
			}
		default:
			bad("the schema has the keyword %s, which this test does not know", keyword)
		}
	}
	return problems
}

func (v validator) members(path string, object, schema map[string]any, additional any) (problems []string) {
	properties, _ := schema["properties"].(map[string]any)
	for name, member := range object {
		sub, ok := properties[name].(map[string]any)
		if !ok {
			if sub, ok = additional.(map[string]any); !ok {
				problems = append(problems, path+": unknown key "+name)
				continue
			}
		}
		problems = append(problems, v.check(path+"."+name, member, sub)...)
	}
	return problems
}

func typed(value any, name string) bool {
	switch value := value.(type) {
	case nil:
		return name == "null"
	case string:
		return name == "string"
	case bool:
		return name == "boolean"
	case float64:
		return name == "integer" && value == float64(int64(value))
	case []any:
		return name == "array"
	}
	return name == "object"
}
