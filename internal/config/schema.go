package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

	"github.com/assertd/assertd/internal/strictyaml"
	"github.com/assertd/assertd/signer/profile"
)

// Patterns of settings that parse their own text.
const (
	durationSchema = `^([0-9]+d)?([0-9]+(\.[0-9]+)?(h|ms|m|s))*$`
	sizeSchema     = `^[0-9]+(B|KiB|MiB|GiB|TiB)$`
	modeSchema     = `^0?[0-7]{3}$`
)

// object is a JSON object.
type object = map[string]any

// schemaAmender is a type whose schema has more rules than its fields.
type schemaAmender interface{ amendSchema(schema object) }

// Schema returns the JSON Schema (draft 2020-12) of the configuration, for
// editors and CI. It can't express the rules that span several settings, which
// Parse checks.
func Schema() []byte {
	s := &schemaWriter{definitions: make(object), formats: formats()}
	schema := s.structure(reflect.TypeFor[Config]())
	schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	schema["$id"] = "https://raw.githubusercontent.com/assertd/assertd/main/docs/assertd.schema.json"
	schema["title"] = "assertd configuration"
	schema["$defs"] = s.definitions
	out, err := json.MarshalIndent(schema, "", "  ")
	if err != nil {
		panic(fmt.Sprintf("config: the schema is not JSON: %v", err)) // can't happen: it only has text, numbers and maps
	}
	return append(out, '\n')
}

type schemaWriter struct {
	definitions object
	formats     map[string]strictyaml.Format
}

// structure returns the schema of a section.
func (s *schemaWriter) structure(t reflect.Type) object {
	properties, required := make(object), []string{}
	for _, f := range strictyaml.Fields(t) {
		property := s.value(t.Field(f.Index).Type, f)
		property["description"] = f.Doc
		if f.Default != "" {
			property["default"] = defaultValue(t.Field(f.Index).Type, f.Default)
		}
		properties[f.Name] = property
		if f.Required {
			required = append(required, f.Name)
		}
	}
	schema := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	if a, ok := reflect.Zero(t).Interface().(schemaAmender); ok {
		a.amendSchema(schema)
	}
	return schema
}

func defaultValue(t reflect.Type, text string) any {
	switch t.Kind() {
	case reflect.Bool:
		return text == "true"
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err == nil {
			return n
		}
	}
	return text
}

// value returns the schema of one setting.
func (s *schemaWriter) value(t reflect.Type, f strictyaml.Field) object {
	switch t {
	case reflect.TypeFor[Duration]():
		return pattern(durationSchema)
	case reflect.TypeFor[PublishBefore]():
		return pattern(durationSchema + "|^manual$")
	case reflect.TypeFor[Size]():
		return pattern(sizeSchema)
	case reflect.TypeFor[Mode]():
		return pattern(modeSchema)
	case reflect.TypeFor[ClaimRule]():
		return claimRuleSchema()
	case reflect.TypeFor[NotBefore]():
		return notBeforeSchema()
	case reflect.TypeFor[PIN]():
		return object{"anyOf": []object{{"const": noPIN}, s.reference(t)}}
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.value(t.Elem(), f)
	case reflect.Struct:
		return s.reference(t)
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.value(t.Elem(), f)}
	case reflect.Slice:
		return object{"type": "array", "items": s.value(t.Elem(), f)}
	case reflect.Interface:
		return object{"not": object{"type": "null"}}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Uint32:
		return integer(t, f)
	}
	return s.text(f)
}

func pattern(p string) object { return object{"type": "string", "minLength": 1, "pattern": p} }

// reference adds the schema of a section to $defs, once.
func (s *schemaWriter) reference(t reflect.Type) object {
	if _, ok := s.definitions[t.Name()]; !ok {
		s.definitions[t.Name()] = nil // no type contains itself
		s.definitions[t.Name()] = s.structure(t)
	}
	return object{"$ref": "#/$defs/" + t.Name()}
}

func integer(t reflect.Type, f strictyaml.Field) object {
	schema := object{"type": "integer"}
	if t.Kind() == reflect.Uint32 {
		schema["minimum"], schema["maximum"] = 0, uint32(1<<32-2)
	}
	for keyword, tag := range map[string]string{"minimum": f.Min, "maximum": f.Max} {
		if n, err := strconv.Atoi(tag); err == nil {
			schema[keyword] = n
		}
	}
	return schema
}

func (s *schemaWriter) text(f strictyaml.Field) object {
	schema := object{"type": "string", "minLength": 1}
	if n, err := strconv.Atoi(f.Max); err == nil {
		schema["maxLength"] = n
	}
	if p := s.formats[f.Format].Pattern; p != "" {
		schema["pattern"] = p
	}
	words := f.Words
	if f.Format == "profile" {
		words = profile.Names()
	}
	if len(words) > 0 {
		return object{"type": "string", "enum": words}
	}
	return schema
}

func claimRuleSchema() object {
	list := object{"type": "array", "items": object{"not": object{"type": "null"}}}
	form := func(key string) object {
		return object{"type": "object", "properties": object{key: list}, "required": []string{key}, "additionalProperties": false}
	}
	array := form("each_of")
	array["properties"].(object)["max_items"] = object{"type": "integer", "minimum": 1}
	return object{"anyOf": []object{{"const": "any"}, list, form("values"), form("words"), array}}
}

func (PIN) amendSchema(schema object) { schema["minProperties"], schema["maxProperties"] = 1, 1 }

func (HSM) amendSchema(schema object) {
	schema["oneOf"] = []object{{"required": []string{"token", "module"}}, {"required": []string{"tokens"}}}
}

func (Token) amendSchema(schema object) { schema["minProperties"] = 1 }

func (NamedToken) amendSchema(schema object) {
	schema["anyOf"] = []object{{"required": []string{"label"}}, {"required": []string{"serial"}}}
}

func (Match) amendSchema(schema object) {
	schema["allOf"] = []object{
		{"not": object{"required": []string{"user", "uid"}}},
		{"not": object{"required": []string{"group", "gid"}}},
	}
}
