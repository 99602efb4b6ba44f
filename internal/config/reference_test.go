package config

import (
	"bytes"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/assertd/assertd/internal/strictyaml"
)

// TestReferenceIsCommitted generates docs/configuration.md from the tags that
// the decoder uses.
func TestReferenceIsCommitted(t *testing.T) {
	same(t, "../../docs/configuration.md", reference(t))
}

const referenceHead = `# Configuration

<!-- Generated from the code: go test ./internal/config -update -->

The configuration is one YAML file. The daemon reads it at startup and on SIGHUP. Test it with ` + "`assertd check`" + `.

The file is read strictly. Unknown, duplicate and empty keys are errors. So are anchors, aliases, merge keys, tags and second documents,
because they let a file mean something other than it seems to. All errors are reported at once, each with file, line and column. An empty
list never means "everything". If the file is invalid on reload, nothing changes.

- The file and every directory on the way to it must belong to root or the daemon's user, and no one else can have write access.
- **Duration**: a number with a unit, such as ` + "`250ms`, `60s`, `5m`, `24h`, `90d`, `1d12h`" + `. A day is 24 hours.
- **Size**: a whole number with ` + "`B`, `KiB`, `MiB`, `GiB` or `TiB`" + `.
- **Mode**: permission bits in octal and in quotes, such as ` + "`\"0660\"`" + `.
- **Path**: absolute and in its shortest form.
- Text that looks like a number needs quotes: ` + "`serial: \"0123\"`" + `.
- Keys and values contain only what a reader sees: no invisible characters, no space next to quotes, no line break at the end, no characters
  outside normal form (NFKC), none that look like ASCII punctuation, such as U+2013 (a dash), and no letters of different scripts in one text, such as
  U+0430 (Cyrillic) in a Latin name. Comments are free, except for control characters and those that reverse text. A character that
  you mean can be written as an escape sequence in double quotes: ` + "`\"\\u200b\"`" + `. Text in one script that resembles another is not refused.
- The maximum is 4 MiB, 32 levels, and 10,000 keys per mapping. Lists (clients, grants) have no other limit.

Editors can check the file as you type with the JSON Schema in [assertd.schema.json](assertd.schema.json):

` + "```yaml\n# yaml-language-server: $schema=https://raw.githubusercontent.com/assertd/assertd/main/docs/assertd.schema.json\n```" + `

Complete examples to start from: [minimal](../examples/config/minimal.yaml), [production](../examples/config/production.yaml) and
[containers](../examples/config/containers.yaml), which has one socket per client.

## Minimal configuration

`

func reference(t *testing.T) []byte {
	t.Helper()
	minimal, err := os.ReadFile("../../examples/config/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s```yaml\n%s```\n\n## Settings\n", referenceHead, minimal)
	section(&b, "", reflect.TypeFor[Config]())
	return b.Bytes()
}

// section writes the table of a mapping, followed by those of the mappings in
// it.
func section(b *bytes.Buffer, path string, typ reflect.Type) {
	if path != "" {
		fmt.Fprintf(b, "\n### %s\n", path)
	}
	b.WriteString("\n| setting | value | default | description |\n|---|---|---|---|\n")
	for _, f := range strictyaml.Fields(typ) {
		initial := ""
		switch {
		case f.Required:
			initial = "required"
		case f.Default != "":
			initial = "`" + f.Default + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.Name, kindOf(typ.Field(f.Index).Type, f), initial, strings.ReplaceAll(f.Doc, "|", `\|`))
	}
	for _, f := range strictyaml.Fields(typ) {
		at, inner := inside(strictyaml.Key(path, f.Name), typ.Field(f.Index).Type)
		if inner.Kind() == reflect.Struct && inner.PkgPath() == typ.PkgPath() && inner != reflect.TypeFor[ClaimRule]() && inner != reflect.TypeFor[PublishBefore]() && inner != reflect.TypeFor[NotBefore]() {
			section(b, at, inner)
		}
	}
}

// inside steps through lists and maps to their elements.
func inside(path string, typ reflect.Type) (string, reflect.Type) {
	switch typ.Kind() {
	case reflect.Pointer:
		return inside(path, typ.Elem())
	case reflect.Slice:
		return inside(path+"[]", typ.Elem())
	case reflect.Map:
		return inside(path+".NAME", typ.Elem())
	}
	return path, typ
}

func kindOf(typ reflect.Type, f strictyaml.Field) string {
	switch typ {
	case reflect.TypeFor[Duration]():
		return "duration" + limits(f)
	case reflect.TypeFor[PublishBefore]():
		return "duration or `manual`"
	case reflect.TypeFor[Size]():
		return "size" + limits(f)
	case reflect.TypeFor[Mode]():
		return "mode"
	case reflect.TypeFor[NotBefore]():
		return "`{leeway: …}` or `none`"
	case reflect.TypeFor[PIN]():
		return "mapping or `none`"
	case reflect.TypeFor[ClaimRule]():
		return "list of values, `{values: […]}`, `{words: […]}`, `{each_of: […], max_items: …}` or `any`"
	}
	switch typ.Kind() {
	case reflect.Pointer:
		return kindOf(typ.Elem(), f)
	case reflect.Struct:
		return "mapping"
	case reflect.Slice:
		return "list of " + plural(kindOf(typ.Elem(), f))
	case reflect.Map:
		return "name: " + kindOf(typ.Elem(), f)
	case reflect.Interface:
		return "any value"
	case reflect.Bool:
		return "`true` or `false`"
	case reflect.Int, reflect.Uint32:
		return "number" + limits(f)
	}
	switch {
	case len(f.Words) > 0:
		return "`" + strings.Join(f.Words, "`, `") + "`"
	case f.Format != "":
		return map[string]string{"name": "name", "path": "path", "hex": "hexadecimal", "sha256": "64 hexadecimal digits",
			"address": "`host:port`", "server": "`host:port`", "network": "address or network", "issuer": "URL", "profile": "[profile](profiles.md)", "time": "RFC 3339 time"}[f.Format]
	}
	return "text"
}

func plural(kind string) string {
	if kind == "mapping" {
		return "mappings"
	}
	return kind
}

func limits(f strictyaml.Field) string {
	switch {
	case f.Min != "" && f.Max != "":
		return fmt.Sprintf(", `%s` to `%s`", f.Min, f.Max)
	case f.Max != "":
		return fmt.Sprintf(", at most `%s`", f.Max)
	}
	return ""
}
